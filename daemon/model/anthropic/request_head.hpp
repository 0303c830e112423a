// The head of a request to the Messages API: which headers it has and which it must not have
// (wire reference §1.2). Pure; any thread.
#pragma once

#include "model/options.hpp"
#include "model/url.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace agentd::model::anthropic {

// What is asked for: `path` is below the base URL's. `body_bytes`: nothing where there is no body.
struct request_line {
    std::string_view method = "POST";
    std::string_view path = "/v1/messages";
    std::optional<std::size_t> body_bytes;
};

// A head with exactly one credential header; ends with the empty line. Holds the credential:
// never to be logged.
[[nodiscard]] std::string request_head(
    const url& to, const options& configured, const request_line& what);

} // namespace agentd::model::anthropic
