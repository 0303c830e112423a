// What an earlier run of this daemon left behind: processes of its commands that lived on when
// it was killed. Who is one of them:
//   - who carries a mark of this state folder (children.hpp), in its limits or, where no mark
//     fits, in its environment;
//   - the shell of a job that was running: its number, start and boot were stored, so that no
//     other process is taken for it; who is in its session or group, and who descends from it;
//   - who has the id of a job or task that was running in its environment.
// The state folder's lock says that no other daemon of this folder runs. Every signal goes
// through a pidfd whose process was asked again after it was opened.
// Blocks for a bounded time: before the first command of this run, or after the last.
#pragma once

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
    std::vector<std::string> variables; // NAME=VALUE that its commands alone had
};

// Kills them and waits until they are dead, for limits::former_death at the most; how many there
// were. What could not be signalled, or did not die in time, is not counted. `spare`: a process
// of this run that may carry such signs, too (0: none); this process itself is never meant.
[[nodiscard]] std::size_t end_former_commands(
    std::uint32_t space, const former_run& known = {}, pid_t spare = 0);

} // namespace agentd::jobs
