// The head of a request to the Messages API: which headers it has and which it must not have
// (wire reference §1.2). Pure; any thread.
#pragma once

#include "model/options.hpp"
#include "model/url.hpp"

#include <cstddef>
#include <string>

namespace agentd::model::anthropic {

// POST {base}/v1/messages with exactly one credential header; ends with the empty line. Holds
// the credential: never to be logged.
[[nodiscard]] std::string request_head(
    const url& to, const options& configured, std::size_t body_bytes);

} // namespace agentd::model::anthropic
