// The encoding of history: each block, message and request as bytes, made once and never
// again, so that what was sent stays the same to the last byte (wire reference §1.4-1.9).
// A message is kept as its role and its `content`, an encoded array of blocks.
// Pure; any thread.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::proto::messages {

enum class errc {
    bad_history = 1, // stored content is not what this program writes
    bad_reply,       // the bytes of a reply are not what the wire allows
    too_large,       // a bound of base/limits.hpp is exceeded
};

[[nodiscard]] std::string_view error_text(errc value);
[[nodiscard]] base::error bad_reply(std::string reason);

// True for text the API refuses in a block: empty or nothing but white space.
[[nodiscard]] bool is_blank(std::string_view text);

// --- blocks

// {"type":"text","text":...}; `text` is not blank.
[[nodiscard]] std::string text_block(std::string_view text);
// {"type":"tool_result",...} with one text block inside; blank text becomes "(no output)".
[[nodiscard]] std::string tool_result_block(
    std::string_view tool_use_id, std::string_view text, bool is_error);
// The `system` array of a request: one text block each for the parts that are not blank; ""
// when there is none.
[[nodiscard]] std::string system_blocks(std::span<const std::string> parts);

// --- content: an encoded array of blocks

// [a,b,...] of encoded blocks.
[[nodiscard]] std::string content_of(std::span<const std::string> blocks);
// `content` with more blocks at its end.
[[nodiscard]] std::string append_blocks(
    std::string_view content, std::span<const std::string> blocks);
// True if the content has a tool_result: then it can take a text inside the last one.
[[nodiscard]] bool has_tool_result(std::string_view content);
// `content` with `block` (an encoded text block) at the end of the last tool_result's own
// content. All other bytes stay as they are. Errors: bad_history.
[[nodiscard]] base::result<std::string> add_to_last_tool_result(
    std::string_view content, std::string_view block);
// The ids of all tool_use blocks of an assistant message, in order. Errors: bad_history.
[[nodiscard]] base::result<std::vector<std::string>> tool_use_ids(std::string_view content);
// The content with its first block alone; "" when there is none, or it cannot be read.
[[nodiscard]] std::string first_block(std::string_view content);
// The texts of all text blocks, joined by empty lines. Errors: bad_history.
[[nodiscard]] base::result<std::string> text_of(std::string_view content);

// --- messages

// {"role":"user","content":[...]}: an element of a request's `messages`.
[[nodiscard]] std::string user_message(std::string_view content);
[[nodiscard]] std::string assistant_message(std::string_view content);
[[nodiscard]] std::string message(std::string_view role, std::string_view content);

// --- requests

// What goes into a body. Views: they outlive the body that is made of them.
struct body_parts {
    std::string_view model;
    std::int64_t max_tokens = 0;
    std::string_view system;                // encoded array; empty: left out
    std::string_view tools;                 // encoded array; empty: left out
    std::vector<std::string_view> messages; // encoded messages
};

// A body in pieces, to be sent by scatter/gather: long pieces are views of the parts. Movable;
// its slices stay valid as long as it and the parts.
class request_body {
public:
    explicit request_body(const body_parts& parts);
    request_body(request_body&&) noexcept = default;
    request_body& operator=(request_body&&) noexcept = default;
    request_body(const request_body&) = delete;
    request_body& operator=(const request_body&) = delete;
    ~request_body() = default;

    [[nodiscard]] std::span<const std::string_view> slices() const { return slices_; }
    // Bytes in all: the content-length.
    [[nodiscard]] std::size_t size() const { return size_; }
    // All in one string; for tests and logs.
    [[nodiscard]] std::string joined() const;

private:
    void add(std::string_view slice);
    // `json` with a cache mark inside the block that ends `closing` bytes before its end.
    void add_marked(std::string_view json, std::size_t closing);

    std::deque<std::string> glue_; // owned pieces; a deque, so that views of them stay valid
    std::vector<std::string_view> slices_;
    std::size_t size_ = 0;
};

} // namespace agentd::proto::messages

AGENTD_ERROR_ENUM(agentd::proto::messages)
