// What the client's tests share: a request, and one `ask` on a loop of its own that tells all
// that it told.
#pragma once

#include "model/options.hpp"
#include "tests/support/byte_server.hpp"
#include "tests/support/model_bytes.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentd::testing {

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
// One ask of a server with this script, or with this stream as its whole chunked reply.
[[nodiscard]] asked from(byte_server::script script);
[[nodiscard]] asked from_stream(std::string_view stream);
// Listens to nothing.
class deaf final : public model::progress {
public:
    void on_text(std::int64_t, std::size_t, std::string_view) override {}
    void on_retry(std::int64_t, const model::failure&, std::chrono::milliseconds) override {}
    void on_fallback(std::string_view, std::string_view, const model::failure&) override {}
};

// A whole reply over a stream.
inline const std::string fine = streamed(text_stream());
// What text_stream() has to become, at the first attempt.
void check_hello(const asked& got);
// Several, one after another, by one client.
[[nodiscard]] std::vector<asked> ask_in_turn(const model::options& with, std::size_t times);

} // namespace agentd::testing
