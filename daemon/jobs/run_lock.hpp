// Locks that tell which run of agentd something belongs to: the state folder, the socket.
// The kernel gives them back when the last process that holds the open file is gone. That can
// be a moment after agentd was killed: a child between its birth and its exec holds everything
// that agentd had open. So a lock names its holder, and one whose holder is dead is waited for.
// Any thread; blocks for as long as is said.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>

namespace agentd::jobs {

// Who signed a lock; the start time tells two processes with the same number apart.
struct lock_holder {
    pid_t pid = 0;          // 0: nobody has signed it
    std::int64_t start = 0; // ticks since boot; 0: not known
};

[[nodiscard]] lock_holder holder_of(int file);
[[nodiscard]] bool lives(const lock_holder& who);

// Locks an open file. One that a living process has signed is refused at once; else it is
// waited for up to `patience`. errno, 0: it is locked, EWOULDBLOCK: somebody else holds it.
[[nodiscard]] int lock_file(int file, std::chrono::milliseconds patience);
// The same for a file that nobody signs (a folder).
[[nodiscard]] int lock_unsigned(int file, std::chrono::milliseconds patience);
// Writes this process into a file that it has locked; errno, 0: written.
[[nodiscard]] int sign_lock(int file);

} // namespace agentd::jobs
