// What clients send to the local API, checked for form: kinds, bounds, names. Whether things
// exist and who may is the daemon's to say. Strict: an unknown field is an error.
// Pure; any thread.
#pragma once

#include "base/error.hpp"
#include "proto/api/types.hpp"

#include <string>
#include <string_view>

namespace agentd::proto::api {

// What can be wrong with a request. The text of the last two begins with `field "NAME": `.
enum class errc {
    malformed = 1, // 400: not a JSON object
    too_large,     // 413: a field beyond its bound of bytes
    invalid_field, // 422: missing, unknown, of another kind, out of bounds
};
[[nodiscard]] std::string_view error_text(errc value);

// The body of POST /v1/tasks.
[[nodiscard]] base::result<submit_request> parse_submit(std::string_view body);

// The body of POST /v1/tasks/{id}/messages: the text.
[[nodiscard]] base::result<std::string> parse_message(std::string_view body);

// True for `[a-z0-9_.-]{1,63}`.
[[nodiscard]] bool is_label_key(std::string_view key);

// The NAME of a text that begins with `field "NAME": `; empty for another.
[[nodiscard]] std::string_view field_named_in(std::string_view text);

// What is wrong with a field: errc::invalid_field.
[[nodiscard]] base::error invalid(std::string_view field, std::string_view reason);
// An error of the JSON reader, which knows more kinds of wrong than the API has statuses.
[[nodiscard]] base::error translated(base::error from);

} // namespace agentd::proto::api

AGENTD_ERROR_ENUM(agentd::proto::api)
