// A client of the local API that sends exactly the bytes it is given, for tests: blocking
// calls on the test's thread, each with a deadline. Records what it exchanges.
#pragma once

#include "base/unique_fd.hpp"
#include "tests/support/exchange_log.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace agentd::testing {

struct reply {
    int status = 0;
    header_list headers; // names in lower case
    std::string body;

    [[nodiscard]] std::string header(std::string_view name) const;
    // The last part of the problem's type; empty: no problem.
    [[nodiscard]] std::string problem() const;
};

// An answer as one text, and its end is that of the text. Fails the test when it is none.
[[nodiscard]] reply parsed_reply(const std::string& text);

class http_client {
public:
    explicit http_client(const std::string& path);

    // False when the server has closed, or takes nothing for long.
    bool send(std::string_view bytes);
    void finish_sending();
    void close() { socket_.reset(); }

    // The next answer; nullopt when there is none (closed, or nothing for long).
    std::optional<reply> receive();
    // Only its head; read_piece() then gives the body.
    std::optional<reply> receive_head();
    // A line of the (chunked) body, without its end; nullopt at the end of the body.
    std::optional<std::string> read_line();
    // True when the server has closed and nothing is unread.
    bool closed();

    // One request and its answer.
    reply call(const std::string& method, const std::string& target, const std::string& body = {},
        const header_list& headers = {});
    // Only sends it.
    void ask(const std::string& method, const std::string& target, const std::string& body = {},
        const header_list& headers = {});
    // Notes an exchange whose request was sent by hand.
    void note(const std::string& method, const std::string& target, const reply& answer);

    [[nodiscard]] int descriptor() const { return socket_.get(); }

private:
    bool fill(); // more bytes into unread_
    std::optional<std::string> take_line(std::string_view end);
    std::optional<std::string> take(std::size_t size);
    std::optional<std::string> take_chunk(); // empty: the last

    base::unique_fd socket_;
    std::string unread_;
    std::string lines_; // of the chunked body
    http_exchange last_;
};

// Records an exchange of GET `target`.
void note_get(const std::string& target, const reply& answer);

[[nodiscard]] std::string request_text(const std::string& method, const std::string& target,
    const std::string& body, const header_list& headers);

} // namespace agentd::testing
