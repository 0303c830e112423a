// The rules by which the Messages API refuses a request, as one pure function.
// It stands on its own: it is the oracle against which the daemon's encoder is measured, so
// it shares no code with it. Messages are worded like the API's, with the path of the fault.
// Any thread; no state.
#pragma once

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace agentd::testing {

/// What is wrong with a request: the text of `error.message`. Nothing: it is valid.
using complaint = std::optional<std::string>;

/// What a request is judged against besides its own bytes.
struct validation_context {
    bool count_tokens = false;    ///< for /v1/messages/count_tokens: no max_tokens, no stream
    bool pause_turn_open = false; ///< the last reply was a pause_turn: may end with `assistant`
    std::string_view betas;       ///< the value of the `anthropic-beta` header
};

/// The first fault of a request body in the order in which the API looks, if there is one.
complaint validate_request(const boost::json::object& body, const validation_context& context);

} // namespace agentd::testing
