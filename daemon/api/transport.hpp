// One client's connection as bytes: reading and writing with a limit on each wait, and word
// of the client's going away. Owned by the connection's coroutine, on its strand only.
#pragma once

#include "aio/awaitable.hpp"
#include "api/errc.hpp"
#include "base/unique_fd.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <chrono>
#include <string_view>

namespace agentd::api {

class transport {
public:
    // `connected` is non-blocking. A write that makes no progress for `stall` fails.
    transport(aio::executor strand, base::unique_fd connected, std::chrono::milliseconds stall);

    // At least one byte into `into`. Errors: closed (also half, by the client), request_timeout.
    aio::awaitable<base::result<std::size_t>> read_some(
        char* into, std::size_t room, std::chrono::milliseconds limit);
    // All of it; `bytes` outlive the call. Errors: closed, stalled.
    aio::awaitable<base::result<>> write(std::string_view bytes);

    // Goes on when the client has closed both directions; one that has only finished sending
    // still waits for its answer. Also goes on when cancelled.
    aio::awaitable<> peer_gone();

    // Says that no more is sent, and drops what still comes until the client closes, for at
    // most `limit`: closing with unread bytes would take the last answer from the client.
    aio::awaitable<> finish(std::chrono::milliseconds limit);

private:
    boost::asio::local::stream_protocol::socket socket_;
    std::chrono::milliseconds stall_;
};

// `work`, given up (cancelled and ended) when the client goes away: then errc::closed. For
// what may wait long.
template <class T>
aio::awaitable<base::result<T>> while_connected(
    transport& client, aio::awaitable<base::result<T>> work)
{
    using namespace boost::asio::experimental::awaitable_operators;
    auto race = std::move(work) || client.peer_gone();
    auto first = co_await std::move(race);
    if (first.index() == 0)
        co_return std::get<0>(std::move(first));
    co_await aio::rethrow_if_cancelled();
    co_return std::unexpected(base::error{errc::closed, "the client is gone"});
}

} // namespace agentd::api
