// HTTP/1.1 over the daemon's Unix socket: one connection, one call at a time, bodies read as
// they come, so that a stream may be as long as it likes. On the caller's executor only.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "ctl/exit_code.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace agentd::ctl {

struct http_request {
    std::string method = "GET";
    std::string target;
    std::string body;                              // empty: none
    std::string content_type = "application/json"; // of the body
    bool once = false;           // never sent again: a repetition would have its effect twice
    std::string idempotency_key; // empty: none
};

struct http_head {
    unsigned status = 0;
    std::map<std::string, std::string> fields; // names in lower case

    // Empty when absent.
    [[nodiscard]] std::string field(const std::string& name) const;
};

// 0: no limit.
using time_limit = std::chrono::milliseconds;

class http_connection {
public:
    // Errors: unreachable (nobody there), denied (no right to the socket).
    static aio::awaitable<base::result<std::unique_ptr<http_connection>>> open(std::string socket);
    ~http_connection();
    http_connection(const http_connection&) = delete;
    http_connection& operator=(const http_connection&) = delete;

    // Sends the call and reads the head of its answer. Errors: lost, daemon_error (no HTTP).
    aio::awaitable<base::result<http_head>> start(http_request what, time_limit limit);
    // More of the body of the answer; empty: that was all. Errors: lost, daemon_error.
    aio::awaitable<base::result<std::string>> read_some(time_limit limit);
    // The rest of the body, at most limits::client_reply_bytes.
    aio::awaitable<base::result<std::string>> read_all(time_limit limit);
    // True when another call can be made: the last answer was read to its end.
    [[nodiscard]] bool reusable() const;

private:
    struct state;
    explicit http_connection(std::unique_ptr<state> s);
    std::unique_ptr<state> state_;
};

} // namespace agentd::ctl
