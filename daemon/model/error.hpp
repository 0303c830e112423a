// The conditions of the way to the model, as its own layer tells them apart. Any thread.
#pragma once

#include "base/error.hpp"

#include <string_view>

namespace agentd::model {

enum class errc {
    bad_options = 1, // URL, credential or CA file cannot be used
    cannot_connect,  // no address of the host answers
    tls_refused,     // the peer is not who it should be: asking again is of no use
    timed_out,       // a stage took too long
    closed,          // the peer ended the connection in order
    broken,          // reset, or ended without notice
    proxy_refused,   // the proxy does not let us through: asking again is of no use
    bad_http,        // what came is no HTTP reply, or beyond the bounds
};

[[nodiscard]] std::string_view error_text(errc value);

} // namespace agentd::model

AGENTD_ERROR_ENUM(agentd::model)
