// Locks that keep a second daemon out, held as long as the object lives; the kernel gives them
// back however the process ends. At start, one thread.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <string>

namespace agentd::app {

class file_lock {
public:
    // Makes and locks `path` (0600) and signs it. `what` is for the message: "state folder /x".
    // errc::in_use with the other's pid, at once if that lives; errc::no_access.
    // Blocks for up to limits::lock_patience while the signer is dead (see jobs/run_lock.hpp).
    [[nodiscard]] static base::result<file_lock> take(
        const std::string& path, const std::string& what);

private:
    explicit file_lock(base::unique_fd held) : held_(std::move(held)) {}
    base::unique_fd held_;
};

} // namespace agentd::app
