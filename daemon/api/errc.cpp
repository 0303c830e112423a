#include "api/errc.hpp"

namespace agentd::api {

std::string_view error_text(errc value)
{
    switch (value) {
    case errc::closed: return "the client has closed the connection";
    case errc::stalled: return "the client takes no bytes";
    case errc::bad_http: return "the request is not valid HTTP";
    case errc::bad_target: return "the request's target is not valid";
    case errc::invalid_parameter: return "a parameter is not valid";
    case errc::cursor_ahead: return "the cursor is ahead of the newest event";
    case errc::request_timeout: return "the request did not come in time";
    case errc::events_gone: return "the events behind the cursor are not kept any more";
    case errc::body_too_large: return "the body is too large";
    case errc::expectation_failed: return "the expectation cannot be met";
    case errc::header_too_large: return "the request's head is too large";
    case errc::in_use: return "the socket is in use";
    case errc::not_a_socket: return "the path is no socket";
    case errc::cannot_listen: return "the socket cannot be opened";
    }
    return "unknown";
}

} // namespace agentd::api
