// The daemon as agentctl sees it: calls that are made again when the connection breaks, and
// answers that are no success turned into errors with the daemon's own words.
// One strand; one call at a time.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "ctl/http.hpp"
#include "proto/json/reader.hpp"

#include <functional>
#include <memory>
#include <string>

namespace agentd::ctl {

struct reply {
    http_head head;
    std::string body;
};

// An answer whose body is read piece by piece; the connection is its own.
struct stream {
    std::unique_ptr<http_connection> connection;
    http_head head;
};

class client {
public:
    // `talk` is told, once per outage, that the connection broke.
    client(std::string socket, std::function<void(std::string)> talk);

    // One call and its whole answer (2xx). A broken connection is made anew and the call sent
    // again (all may be but those marked `once`: submits and messages carry a key, and a DELETE
    // that then finds nothing has worked), for at most limits::client_reconnect_for; a daemon
    // that was never reached is an error at once.
    // `patience`: how long the daemon may think.
    aio::awaitable<base::result<reply>> call(
        http_request what, time_limit patience = limits_patience());
    // As call(), and the answer must be a JSON object.
    aio::awaitable<base::result<proto::json::document>> ask(
        http_request what, time_limit patience = limits_patience());
    // A call whose answer is a stream, over a connection of its own.
    aio::awaitable<base::result<stream>> open(http_request what);

    [[nodiscard]] const std::string& socket() const { return socket_; }

private:
    static time_limit limits_patience();
    aio::awaitable<base::result<reply>> try_call(http_request what, time_limit patience);
    aio::awaitable<base::result<stream>> try_open(http_request what);
    // True if a call that failed so is to be made again.
    [[nodiscard]] bool passes(const base::error& why, bool broke_before) const;
    void tell(const base::error& why);

    std::string socket_;
    std::function<void(std::string)> talk_;
    std::unique_ptr<http_connection> kept_;
    bool contacted_ = false; // the daemon has answered at least once
    bool told_ = false;
};

// The error that an answer without success is: the problem's detail, or the status.
[[nodiscard]] base::error error_of(unsigned status, const std::string& body);

// `text` as part of a URL's path or query.
[[nodiscard]] std::string url_escape(std::string_view text);

// Collects the query of a target: "?a=b&c=d", or nothing.
class query {
public:
    void add(std::string_view name, std::string_view value);
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    std::string text_;
};

} // namespace agentd::ctl
