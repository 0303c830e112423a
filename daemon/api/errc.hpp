// What goes wrong between a client's bytes and a handler: the conditions of HTTP itself.
// Pure data; any thread.
#pragma once

#include "base/error.hpp"

namespace agentd::api {

enum class errc {
    closed = 1,         // the client is gone: nobody to answer
    stalled,            // the client takes no bytes (write stall)
    bad_http,           // 400: no HTTP/1.x request
    bad_target,         // 400: a path or query that is not percent-encoded text
    invalid_parameter,  // 400: the text begins with `field "NAME": `
    cursor_ahead,       // 400: an event cursor beyond the newest event
    request_timeout,    // 408: head or body did not come in time
    events_gone,        // 410: an event cursor behind what is kept
    body_too_large,     // 413
    expectation_failed, // 417: an Expect that is not 100-continue
    header_too_large,   // 431
    in_use,             // another process listens on the socket
    not_a_socket,       // something else stands at the socket's path
    cannot_listen,      // the socket cannot be made
};
[[nodiscard]] std::string_view error_text(errc value);

} // namespace agentd::api

AGENTD_ERROR_ENUM(agentd::api)
