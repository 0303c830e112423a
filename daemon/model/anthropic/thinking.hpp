// What becomes of a history whose thinking the server no longer accepts: another key, another
// server, or a prefix that has changed (wire reference §0.6, §1.7). Pure; any thread.
#pragma once

#include "model/reply.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace agentd::model::anthropic {

// True for a 400 that says that the thinking in the history is not what it was: a signature is
// invalid, or of another conversation, or blocks have been modified.
[[nodiscard]] bool is_bad_thinking(int status, std::string_view message);

// The messages without thinking and redacted_thinking, all other bytes as they are, valid as a
// request's: a message of which nothing is left is left out, and what it stood between is one.
// Messages that had none are the same bytes, shared. Nothing where there is no thinking.
[[nodiscard]] std::optional<std::vector<bytes>> without_thinking(
    const std::vector<bytes>& messages);

} // namespace agentd::model::anthropic
