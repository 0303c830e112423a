// Failures that are not the server's reply, in the words that people and the retry policy are
// told. Pure; any thread.
#pragma once

#include "base/error.hpp"
#include "model/exchange.hpp"
#include "model/retry_policy.hpp"

#include <chrono>
#include <cstddef>
#include <string>

namespace agentd::model::anthropic {

// No connection came to be.
[[nodiscard]] attempt_failure connect_failure(const base::error& why);
// A pooled connection that the server had given up: nothing was answered, and a fresh one is
// tried at once, outside of all counting (wire reference §5).
[[nodiscard]] bool is_stale(const exchange_end& end);

// A 401 came before: it is final for all until there is another credential.
[[nodiscard]] attempt_failure refused_before();
// The request waits because another one met the limit of the model. Final, where it ends so.
[[nodiscard]] attempt_failure limit_of_others();
// The request has more bytes than the API takes.
[[nodiscard]] failure own_limit_failure(std::size_t bytes);
// "it would have to wait 12.0 s, 3.5 s are left for retries"
[[nodiscard]] std::string too_long_to_wait(
    std::chrono::milliseconds wait, std::chrono::milliseconds left);

} // namespace agentd::model::anthropic
