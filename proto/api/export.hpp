// A session as JSON Lines: the records of an export, which an import reads back. The format is
// described in openapi.yaml (ExportRecord): the session with the version of the format, its
// epochs, its messages, an end. Strict: a field that is unknown, missing or of another kind is
// an error. Pure; any thread.
#pragma once

#include "base/error.hpp"
#include "proto/api/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace agentd::proto::api {

inline constexpr std::int64_t export_version = 2;

struct export_head {
    api::session session;
    std::int64_t context_tokens = 0; // of the conversation; 0: not known
};
// A stretch of the history with one model, system prompt and tool set.
struct export_epoch {
    std::int64_t number = 1;
    std::string model;
    std::string system, tools;  // JSON arrays
    std::int64_t first_seq = 0; // messages before it are no part of it
};
struct export_message {
    api::message message;
    bool answered = true; // false: a user message without a complete reply
    // The first epoch that it is no part of; absent: it still is.
    std::optional<std::int64_t> end_epoch;
};
struct export_end {
    std::int64_t epochs = 0;
    std::int64_t messages = 0;
};
using export_record = std::variant<export_head, export_epoch, export_message, export_end>;

// The record as a line, its end included.
[[nodiscard]] std::string export_line(const export_record& what);

// Errors: malformed (no JSON object), invalid_field: `field "message.role": ...`.
[[nodiscard]] base::result<export_record> read_export_line(std::string_view line);

} // namespace agentd::proto::api
