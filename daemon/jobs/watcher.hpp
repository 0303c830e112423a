// A small process beside the daemon that ends the daemon's commands when it was killed and no
// service manager does that: forked before there is a thread, a secret or a lock, with no
// descriptor but one end of a socket. When the other end closes without a word, it takes the
// lock of the state folder and does what the next start would do (end_dead_run); if a new
// daemon has the lock already, that does it. In an orderly end it is told, and waited for.
// If it is killed, too, the next start finds everything.
// Main thread.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <sys/types.h>

#include <string>

namespace agentd::jobs {

class watcher {
public:
    // While there is one thread. Its name is agentd-watch. `first` is the first thing that it does.
    [[nodiscard]] static base::result<watcher> start(void (*first)());
    watcher(watcher&& other) noexcept;
    watcher& operator=(watcher&&) = delete;
    watcher(const watcher&) = delete;
    watcher& operator=(const watcher&) = delete;
    // The orderly end: it is told, and gone afterwards.
    ~watcher();

    // The state folder's lock is ours: from now on commands can be there. `spool`: see
    // end_dead_run; `lock`: the path of the lock's file.
    void guard(const std::string& lock, const std::string& spool) const;
    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    watcher(pid_t pid, base::unique_fd pidfd, base::unique_fd line)
        : pid_(pid), pidfd_(std::move(pidfd)), line_(std::move(line))
    {}

    pid_t pid_;
    base::unique_fd pidfd_;
    base::unique_fd line_; // its closing without a word is our death
};

} // namespace agentd::jobs
