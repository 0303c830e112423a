// The error body of the Messages API and the words that belong to each status.
// Every refusal of the scripted model, whoever decides it, has this one form, so that a
// client under test meets what the real service would send. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace agentd::testing {

/// A refusal as the API words it: HTTP status, `error.type` and `error.message`.
struct api_error {
    int status = 400;
    std::string type = "invalid_request_error";
    std::string message;
};

/// The refusal with the type that the API uses for this status.
api_error refusal(int status, std::string message);

/// `error.type` of a status ("api_error" for those that have none of their own).
std::string_view error_type_of(int status);

/// Reason phrase for a status line.
std::string_view reason_phrase(int status);

/// The JSON body `{"type":"error","error":{...},"request_id":...}`.
std::string error_body(const api_error& what, std::string_view request_id);

} // namespace agentd::testing
