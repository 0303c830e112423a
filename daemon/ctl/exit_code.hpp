// The exit codes of agentctl (DESIGN §7, frozen) and what leads to each: the daemon's status
// codes and our own troubles with the connection. Pure; any thread.
#pragma once

#include "base/error.hpp"

#include <string_view>

namespace agentd::ctl {

// What ends a command early; each is one exit code, `lost` may be tried again before.
enum class errc {
    task_failed = 1, // 1
    usage,           // 2: bad arguments, or the daemon found them bad (400, 413, 422)
    unreachable,     // 3: nobody listens on the socket, or it went away for good
    lost,            // 3: the connection broke in the middle of a call
    not_found,       // 4
    denied,          // 5: denied, or in conflict with the state of things
    task_cancelled,  // 6
    refused,         // 7: refused for now (429, 503, 507)
    daemon_error,    // 8: the daemon failed, or answered what nobody understands
    wait_timed_out,  // 124
    interrupted,     // 130
};
[[nodiscard]] std::string_view error_text(errc);

} // namespace agentd::ctl

AGENTD_ERROR_ENUM(agentd::ctl)

namespace agentd::ctl {

[[nodiscard]] int exit_code(errc why);
// Of any error: those of other layers count as the daemon being out of reach (I/O) or failing.
[[nodiscard]] int exit_code(const base::error& why);

// What an answer of the daemon that is no success means; `status` is 300 or more.
[[nodiscard]] errc from_status(unsigned status);

} // namespace agentd::ctl
