// A blocking client for a daemon that may be gone at any moment: nothing here fails a test, an
// answer that does not come is an answer, too. For threads besides the test's own.
#pragma once

#include "base/unique_fd.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace agentd::testing {

struct tolerant_reply {
    int status = 0;
    std::string body;
};

// For what no event tells of: a daemon that is away, a moment that is to be random.
void pass_time(std::chrono::microseconds long_enough);

// One call over a connection of its own; nullopt: no whole answer came. `headers` are whole
// lines, each with its CRLF.
[[nodiscard]] std::optional<tolerant_reply> tolerant_call(const std::string& socket,
    std::string_view method, std::string_view target, std::string_view body = {},
    std::string_view headers = {});

// A reply that goes on, line by line.
class tolerant_stream {
public:
    // Connects and asks; status() is 0 when no head came.
    tolerant_stream(const std::string& socket, std::string_view target);

    [[nodiscard]] int status() const { return status_; }
    // A whole line without its end; nullopt: the stream has ended, or nothing came for `wait_s`
    // seconds (is_idle() tells which).
    [[nodiscard]] std::optional<std::string> next_line();
    [[nodiscard]] bool is_idle() const { return idle_; }
    // Whether next_line() would find something: a line, its beginning, or the end.
    [[nodiscard]] bool await_bytes(std::chrono::microseconds limit) const;

private:
    [[nodiscard]] bool fill();
    // Moves whole chunks from raw_ to text_; false: the last one was among them.
    [[nodiscard]] bool unchunk();

    base::unique_fd fd_;
    int status_ = 0;
    bool idle_ = false;
    bool over_ = false;
    std::string raw_, text_;
};

} // namespace agentd::testing
