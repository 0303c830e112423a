// What an earlier run of this daemon left behind: processes of its commands that lived on when
// it was killed. Who is one of them:
//   - who carries a mark of this state folder (children.hpp), in its limits or, where no mark
//     fits, in its environment;
//   - the shell of a job that was running: its number, start and boot were stored, so that no
//     other process is taken for it; who is in its session or group, and who descends from it;
//   - who has the id of a job or task that was running in its environment.
// The state folder's lock says that no other daemon of this folder runs. Every signal goes
// through a pidfd whose process was asked again after it was opened.
// One look reads a few small files for each process there is, however many are searched for.
// Blocks for a bounded time: before the first command of this run, or after the last.
#pragma once

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "jobs/procfs.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace agentd::jobs {

// What the state knows of what was running.
struct former_run {
    std::vector<process_identity> shells;
    std::vector<std::string> variables;  // NAME=VALUE that its commands alone had
    std::vector<process_identity> stuck; // as shells, but they did not die of a KILL before
};

struct former_end {
    std::size_t ended = 0;               // were killed and are dead
    std::vector<process_identity> alive; // were killed and are not: nothing more can be done
};

// Kills them and waits until they are dead, `until` then at the most; the looks themselves come on
// top, three at the least. Those who did not die before are waited for a moment alone. What could
// not be signalled is not told. `spare`: a process of this run that may carry such signs, too (0:
// none); this process itself is never meant.
former_end end_former_commands(std::uint32_t space, const former_run& known = {}, pid_t spare = 0,
    base::mono_time until = base::mono_now() + limits::former_end);

} // namespace agentd::jobs
