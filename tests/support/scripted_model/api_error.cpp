// See api_error.hpp. Pure; any thread.
#include "api_error.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace agentd::testing {
namespace {

struct status_words {
    int status;
    std::string_view type;
    std::string_view reason;
};

constexpr std::array known_statuses{
    status_words{200, "", "OK"},
    status_words{307, "api_error", "Temporary Redirect"},
    status_words{400, "invalid_request_error", "Bad Request"},
    status_words{401, "authentication_error", "Unauthorized"},
    status_words{402, "billing_error", "Payment Required"},
    status_words{403, "permission_error", "Forbidden"},
    status_words{404, "not_found_error", "Not Found"},
    status_words{405, "invalid_request_error", "Method Not Allowed"},
    status_words{408, "timeout_error", "Request Timeout"},
    status_words{409, "conflict_error", "Conflict"},
    status_words{413, "request_too_large", "Payload Too Large"},
    status_words{422, "invalid_request_error", "Unprocessable Entity"},
    status_words{429, "rate_limit_error", "Too Many Requests"},
    status_words{500, "api_error", "Internal Server Error"},
    status_words{502, "api_error", "Bad Gateway"},
    status_words{503, "api_error", "Service Unavailable"},
    status_words{504, "timeout_error", "Gateway Timeout"},
    status_words{529, "overloaded_error", "unknown"},
};

const status_words* words_of(int status)
{
    const auto* found = std::ranges::find(known_statuses, status, &status_words::status);
    return found == known_statuses.end() ? nullptr : found;
}

} // namespace

api_error refusal(int status, std::string message)
{
    api_error made;
    made.status = status;
    made.type = error_type_of(status);
    made.message = std::move(message);
    return made;
}

std::string_view error_type_of(int status)
{
    const auto* words = words_of(status);
    return words == nullptr || words->type.empty() ? "api_error" : words->type;
}

std::string_view reason_phrase(int status)
{
    const auto* words = words_of(status);
    return words == nullptr ? "unknown" : words->reason;
}

std::string error_body(const api_error& what, std::string_view request_id)
{
    boost::json::object error;
    error.emplace("type", what.type);
    error.emplace("message", what.message);
    boost::json::object body;
    body.emplace("type", "error");
    body.emplace("error", std::move(error));
    body.emplace("request_id", request_id);
    return boost::json::serialize(body);
}

} // namespace agentd::testing
