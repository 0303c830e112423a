#include "ctl/exit_code.hpp"

namespace agentd::ctl {

std::string_view error_text(errc value)
{
    switch (value) {
    case errc::task_failed: return "the task failed";
    case errc::usage: return "usage error";
    case errc::unreachable: return "the daemon cannot be reached";
    case errc::lost: return "the connection was lost";
    case errc::not_found: return "not found";
    case errc::denied: return "denied, or in conflict with the present state";
    case errc::task_cancelled: return "the task was cancelled";
    case errc::refused: return "refused for now";
    case errc::daemon_error: return "the daemon failed";
    case errc::wait_timed_out: return "the wait timed out";
    case errc::interrupted: return "interrupted";
    }
    return "unknown";
}

int exit_code(errc why)
{
    switch (why) {
    case errc::task_failed: return 1;
    case errc::usage: return 2;
    case errc::unreachable:
    case errc::lost: return 3;
    case errc::not_found: return 4;
    case errc::denied: return 5;
    case errc::task_cancelled: return 6;
    case errc::refused: return 7;
    case errc::daemon_error: return 8;
    case errc::wait_timed_out: return 124;
    case errc::interrupted: return 130;
    }
    return 8;
}

int exit_code(const base::error& why)
{
    if (why.code.category() == make_error_code(errc::usage).category())
        return exit_code(static_cast<errc>(why.code.value()));
    return exit_code(errc::daemon_error);
}

errc from_status(unsigned status)
{
    switch (status) {
    case 401:
    case 403:
    case 409: return errc::denied;
    case 404:
    case 410: return errc::not_found;
    case 429:
    case 503:
    case 507: return errc::refused;
    default: return status >= 400 && status < 500 ? errc::usage : errc::daemon_error;
    }
}

} // namespace agentd::ctl
