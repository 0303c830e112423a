// The coroutine vocabulary: `aio::awaitable<T>` is what every asynchronous function of the
// daemon returns. A coroutine runs on the executor it was spawned on and comes back to it
// after each co_await.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>

namespace agentd::aio {

namespace asio = boost::asio;

template <class T = void>
using awaitable = asio::awaitable<T, asio::any_io_executor>;

using executor = asio::any_io_executor;

// A new strand over `io`: what is spawned on it or posted to it never overlaps.
[[nodiscard]] executor make_strand(const executor& io);

// Throws operation_aborted if the calling coroutine has been cancelled. After an operation
// whose error means "woken" or "cancelled" alike, this tells the two apart.
awaitable<> rethrow_if_cancelled();

// `co_await aio::shield();` - from here on nothing cancels the caller any more, nor what awaits
// it: Asio keeps one state for a whole stack of coroutines. For clean-up at the end of a spawned
// coroutine; what it awaits needs deadlines of its own. (No coroutine itself: in a cancelled
// one, awaiting any other coroutine throws.)
[[nodiscard]] inline auto shield()
{
    return asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
}

// Goes on after `span`; throws operation_aborted when cancelled before.
awaitable<> sleep_for(std::chrono::milliseconds span);

// Continues on `target` (a strand or the io_context's executor): runs `work` there and
// comes back to the caller's executor with its value. A terminal cancellation reaches it.
template <class T>
awaitable<T> on(executor target, awaitable<T> work);

} // namespace agentd::aio

#include "aio/impl/on.hpp"
