// What the client's tests share: streams as bytes, a request, and one `ask` on a loop of its
// own that tells all that it told.
#pragma once

#include "model/options.hpp"
#include "tests/support/byte_server.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentd::testing {

// --- bytes

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

// --- asking

[[nodiscard]] model::request simple_request(std::size_t text_bytes = 2);
// Options for a server: a key, one attempt, short deadlines.
[[nodiscard]] model::options options_for(const byte_server& server);

struct asked {
    model::outcome outcome;
    std::string shown; // text of the last attempt
    std::vector<std::pair<model::failure, std::chrono::milliseconds>> retries;
    std::vector<std::pair<std::string, std::string>> fallbacks;
    std::chrono::milliseconds took{0};

    [[nodiscard]] std::string text() const; // of the reply; "" without one
    [[nodiscard]] std::string type() const; // of the failure; "" without one
    [[nodiscard]] std::string message() const;
};

// One ask by a client of its own.
[[nodiscard]] asked ask(const model::options& with, model::request what = simple_request());
// Several, one after another, by one client.
[[nodiscard]] std::vector<asked> ask_in_turn(const model::options& with, std::size_t times);

} // namespace agentd::testing
