// Failures of the way to the server in the words that people and the retry policy are told.
// Pure; any thread.
#pragma once

#include "base/error.hpp"
#include "model/exchange.hpp"
#include "model/retry_policy.hpp"

namespace agentd::model::anthropic {

// No connection came to be.
[[nodiscard]] attempt_failure connect_failure(const base::error& why);
// A pooled connection that the server had given up: nothing was answered, and a fresh one is
// tried at once, outside of all counting (wire reference §5).
[[nodiscard]] bool is_stale(const exchange_end& end);

} // namespace agentd::model::anthropic
