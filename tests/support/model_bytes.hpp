// What a model's server sends, as bytes: events, streams, replies, errors; and scripts for
// byte_server that send them. Pure functions; no test framework.
#pragma once

#include "tests/support/byte_server.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

// Events as the API frames them; the name is the JSON's `type`.
[[nodiscard]] std::string sse(const std::vector<std::string>& events);
// A whole stream: one text block, end_turn, usage 25/15.
[[nodiscard]] std::string text_stream(std::string_view text = "Hello \u00e9\U0001F600");
// The parts of it.
[[nodiscard]] std::string start_event();
[[nodiscard]] std::string text_start(int index);
[[nodiscard]] std::string text_delta(int index, std::string_view text);
[[nodiscard]] std::string block_stop(int index);
[[nodiscard]] std::string ending(std::string_view stop_reason);
[[nodiscard]] std::string stop_event();

// Of any block, with its JSON / its delta's JSON.
[[nodiscard]] std::string block_start(int index, std::string_view block);
[[nodiscard]] std::string block_delta(int index, std::string_view delta);
// A tool call without its input, and pieces of that.
[[nodiscard]] std::string tool_start(int index, std::string_view id, std::string_view name);
[[nodiscard]] std::string input_delta(int index, std::string_view partial_json);
// A whole stream: message_start, `events`, message_delta, message_stop.
[[nodiscard]] std::string stream_of(
    std::vector<std::string> events, std::string_view stop_reason = "end_turn");

// A head for a stream that is chunked, and one chunk / the last one.
[[nodiscard]] std::string stream_head(std::string_view more = {});
[[nodiscard]] std::string chunk(std::string_view bytes);
[[nodiscard]] std::string last_chunk();
// A whole chunked reply with `stream` as its body.
[[nodiscard]] std::string streamed(std::string_view stream);
// A reply with content-length; `fields` are "name: value\r\n" lines.
[[nodiscard]] std::string reply(
    int status, std::string_view type, std::string_view body, std::string_view fields = {});
[[nodiscard]] std::string api_error(
    int status, std::string_view type, std::string_view fields = {});

// A script that answers each request of a connection with `bytes` and keeps it open.
[[nodiscard]] byte_server::script answering(std::string bytes);
// Reads one request, sends `bytes`, and returns: the connection is closed.
[[nodiscard]] byte_server::script once(std::string bytes);

} // namespace agentd::testing
