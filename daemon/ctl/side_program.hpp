// A program that agentctl runs for what it has to tell: `agentd --check-state`. Its output is
// bounded and read with a deadline; it is gone when the coroutine goes on, cancelled or not.
// On the caller's strand.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace agentd::ctl {

struct side_output {
    int exit_code = -1; // -1: ended by a signal
    std::string text;   // stdout and stderr together
};

// Errors: daemon_error (it cannot be started, or does not end in time).
aio::awaitable<base::result<side_output>> run_beside(
    std::vector<std::string> argv, std::chrono::milliseconds limit);

} // namespace agentd::ctl
