// Starts a command: /bin/sh -c TEXT in a session of its own, with nothing inherited but what it
// is given. Made like vfork (CLONE_VM | CLONE_VFORK, with the pidfd in the same call), so that
// the time it takes does not depend on the daemon's size; the child makes raw system calls
// alone, on a stack of its own, until it has become the shell.
// Any thread; blocks it until the shell is executed (about 0.1 ms).
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "jobs/command.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentd::jobs {

struct launch_plan {
    std::string text;
    int workdir_fd = -1; // borrowed
    std::vector<std::string> env;
    std::uint64_t mark = 0; // 0: none; see children.hpp
    std::optional<std::uint64_t> descriptor_limit;
    std::optional<std::chrono::seconds> cpu_limit; // of each process alone
    std::uint64_t file_limit = 0;                  // bytes of each file; 0: none
    int cgroup_fd = -1;          // the leaf it is born in, borrowed; -1: where agentd is
    bool only_in_cgroup = false; // a leaf that refuses it is an error
    jobs::input input = jobs::input::none;
};

struct launched_id {
    pid_t pid = 0; // also of its session and process group, until it is reaped
    std::uint64_t mark = 0;
};

struct launched {
    launched_id id{};
    base::unique_fd pidfd{};
    base::unique_fd watch{};    // a second pidfd, for waiting without reaping
    base::unique_fd output{};   // reads what it writes to 1 and 2; non-blocking
    base::unique_fd input{};    // writes what it reads from 0, if that was asked for; non-blocking
    base::unique_fd terminal{}; // its own side of the terminal, if that was asked for
    std::string variable{}; // set by children where no mark can be: NAME=VALUE in its environment
    // Bytes: up to here the largest resident size that the kernel counts for it may be agentd's,
    // whose memory it had until it executed its shell.
    std::int64_t inherited_peak = 0;
    int cgroup_error = 0; // errno: it could not be born in its leaf and is where agentd is
};

// An error says which step failed and why: "cannot run /bin/sh: Permission denied", "cannot
// enter the workspace: No such file or directory"; nothing is left of the child then.
[[nodiscard]] base::result<launched> launch(const launch_plan& plan);

} // namespace agentd::jobs
