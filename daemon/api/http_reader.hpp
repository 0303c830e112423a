// Requests out of a connection's bytes, one after another; what a client has sent ahead
// (pipelining) stays for the next. Owned by the connection's coroutine, on its strand only.
#pragma once

#include "aio/awaitable.hpp"
#include "api/options.hpp"
#include "api/request.hpp"
#include "api/transport.hpp"
#include "base/clock.hpp"

#include <memory>
#include <optional>

namespace agentd::api {

class http_reader {
public:
    // Both outlive the reader.
    http_reader(transport& from, const options& bounds);
    ~http_reader();

    // The next request; nullopt when the client has finished or idles too long. Errors, after
    // each of which the connection is of no more use: bad_http, bad_target, request_timeout,
    // header_too_large, body_too_large (as soon as the head tells), expectation_failed, closed.
    aio::awaitable<base::result<std::optional<request>>> next();

    // More of the body of a request that is read in pieces; "": that was all. Errors as above.
    aio::awaitable<base::result<std::string>> next_piece();
    // Whether some of it was not read: then there can be no next request.
    [[nodiscard]] bool body_left() const;

    // The method of the request that failed, as far as it was read.
    [[nodiscard]] bool failed_on_head() const;

private:
    struct state;
    aio::awaitable<base::result<bool>> await_first_byte();
    aio::awaitable<base::result<>> read_head();
    aio::awaitable<base::result<>> begin_body();
    aio::awaitable<base::result<>> read_body();
    aio::awaitable<base::result<>> read_more(base::mono_time until);
    aio::awaitable<base::result<>> put_until(bool whole, base::mono_time until);

    std::unique_ptr<state> state_; // Beast's parser stays in the .cpp
};

} // namespace agentd::api
