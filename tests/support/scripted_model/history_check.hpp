// Whether the history that a client sends grows as it should from request to request:
// nothing sent before changes by a byte, and the assistant's turns are what was replied.
// The service binds its cache and its thinking blocks to exactly these bytes.
// Pure; any thread.
#pragma once

#include "scenario.hpp"
#include "sse_encoder.hpp"
#include "validator.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

/// What of a request must stay the same, as bytes without cache marks.
struct sent_history {
    std::vector<std::string> messages;
    std::string system;
    std::string tools;
    std::string model;
};

/// Takes the history out of a body that has parsed as JSON.
sent_history history_of(std::string_view body);

/// What the client was told on the request before.
struct last_answer {
    enum class state {
        none,    ///< no complete reply: the last user message may be extended
        whole,   ///< a complete reply went out; `message` holds it
        unknown, ///< a reply of raw bytes: whether it was complete is the client's judgement
        fresh,   ///< whatever follows starts anew (a refusal, a full context window)
    };
    state is = state::none;
    std::optional<made_message> message;
};

/// How a reply that went out whole is to be seen in the next request.
last_answer answer_given(const std::optional<made_message>& message, int status);

/// The first byte of history that is not as it should be.
complaint check_history(const sent_history& before, const last_answer& answer,
    const sent_history& now, append_rule rule);

} // namespace agentd::testing
