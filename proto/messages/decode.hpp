// What the server says, from JSON to values: stream events, whole messages, errors. Tolerant
// where servers differ (wire reference §6.1), strict where a wrong guess would be run.
// Pure; any thread.
#pragma once

#include "base/error.hpp"
#include "base/limits.hpp"
#include "proto/json/reader.hpp"
#include "proto/messages/reply.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace agentd::proto::messages {

// What a server sends may be nested less deeply than what is stored: an event's parts end up
// some levels deeper in a message's content, which has to be readable.
inline constexpr std::size_t reply_depth = limits::json_depth - 8;

struct message_start {
    std::string id;
    std::string model;
    messages::usage usage;
};
struct block_start {
    std::int64_t index = 0;
    json::object block; // content_block, as it came
};
struct block_delta {
    std::int64_t index = 0;
    json::object delta;
};
struct block_stop {
    std::int64_t index = 0;
};
struct message_delta {
    std::optional<std::string> stop_reason; // "" where null was sent
    std::string stop_sequence;
    std::string refusal_explanation;
    messages::usage usage;
};
struct message_stop {};
struct skipped {}; // ping, [DONE], what is not known

using stream_event = std::variant<skipped, message_start, block_start, block_delta, block_stop,
    message_delta, message_stop, server_error>;

// One event of the stream; `name` is empty where there was no `event:` line. Errors: bad_reply.
[[nodiscard]] base::result<stream_event> decode(std::string_view name, std::string_view data);

// A whole message: what a gateway answers that ignored `stream`. An error object with status
// 200 is bad_reply, too. Errors: bad_reply.
[[nodiscard]] base::result<reply> decode_message(std::string_view bytes);

// The body of an error reply, whatever it is: JSON of the API, of a compatible server, HTML,
// nothing. Never fails; `message` is then the beginning of the text, made printable.
[[nodiscard]] server_error decode_error(std::string_view bytes);

// The end of a block: its bytes after all deltas. Shared by streams and whole messages.
struct block_parts {
    const json::value* start = nullptr; // content_block
    // Values that replace or follow the members of `start`, encoded; in order.
    std::vector<std::pair<std::string, std::string>> changed;
    // The input's text as it came in deltas; nullopt: there were none.
    std::optional<std::string> input;
};
[[nodiscard]] block finish_block(block_parts parts);
// The last call of a reply that ran out of tokens may lack its rest although it can be parsed:
// `{}` is what is left of an input that had not begun (wire reference §2.1). It is marked cut off.
void note_cut_call(reply& whole);

} // namespace agentd::proto::messages
