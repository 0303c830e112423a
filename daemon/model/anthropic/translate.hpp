// The provider's words in the model layer's own. Pure; any thread.
#pragma once

#include "model/reply.hpp"
#include "proto/messages/reply.hpp"

#include <string>
#include <string_view>

namespace agentd::model::anthropic {

[[nodiscard]] reply to_reply(proto::messages::reply&& from);
// The error.type of a status whose body has none (wire reference §4.1).
[[nodiscard]] std::string error_type(int status, std::string_view told);
// True if the request was too large for the API or for the model's window: `type` is the
// error's as above, `told` the body.
[[nodiscard]] bool is_too_long(
    int status, std::string_view type, const proto::messages::server_error& told);

} // namespace agentd::model::anthropic
