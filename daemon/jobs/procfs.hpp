// What /proc says about processes. Each answer may be out of date when it is read: whoever
// acts on one holds a pidfd, opened before, and sees that it is still alive afterwards.
// Any thread; microseconds each.
#pragma once

#include "base/unique_fd.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::jobs {

// What recognises a process for good: its number alone is used again.
struct process_identity {
    std::int64_t pid = 0;
    std::int64_t start = 0; // ticks since boot
    std::string boot_id;
};

// Its pidfd; none: it is gone, or descriptors have run out.
[[nodiscard]] base::unique_fd open_process(pid_t pid);

// The children of one thread / of all threads of a process; empty when it is gone. Complete as
// long as none of them is reaped meanwhile.
[[nodiscard]] std::vector<pid_t> children_of_thread(pid_t pid, pid_t thread);
[[nodiscard]] std::vector<pid_t> children_of(pid_t pid);

// The first of the two as a descriptor that can be read again and again.
[[nodiscard]] base::unique_fd open_children_of_thread(pid_t pid, pid_t thread);
[[nodiscard]] std::vector<pid_t> read_children(int list);

// When a process was started, in the kernel's ticks since boot: two processes with the same
// number differ in it. 0: it is gone.
[[nodiscard]] std::int64_t start_of(pid_t pid);
// Of the running kernel; "" where it says none.
[[nodiscard]] const std::string& boot_id();

// What a process and the children that it has waited for have used, in whole ticks (10 ms), so
// rather too little; 0 when its parent is not `parent`.
[[nodiscard]] std::chrono::microseconds cpu_of(pid_t pid, pid_t parent);

// The numbers of all threads; empty when it is gone.
[[nodiscard]] std::vector<pid_t> threads_of(pid_t pid);

// A whole file; empty when it cannot be read.
[[nodiscard]] std::string read_proc(const std::string& path);

// Whether the process of a pidfd has exited, all its threads included.
[[nodiscard]] bool has_died(int pidfd);

// 0: it is gone.
[[nodiscard]] pid_t parent_of(pid_t pid);

// Whether its initial environment has `variable` (NAME=VALUE); false when it cannot be read,
// nullopt while the process executes another program: ask again.
[[nodiscard]] std::optional<bool> has_variable(pid_t pid, std::string_view variable);

// Its initial environment, NAME=VALUE each; empty when it cannot be read. Waits for a process that
// executes another program, exec_patience at the most.
[[nodiscard]] std::vector<std::string> variables_of(pid_t pid);
// An exec shows no environment for less than a millisecond, unless it has to wait for a processor.
inline constexpr std::chrono::milliseconds exec_patience{2};

// The mark (see children.hpp) as /proc/PID/limits has it; 0: none.
[[nodiscard]] std::uint64_t mark_from_limits(pid_t pid);

} // namespace agentd::jobs
