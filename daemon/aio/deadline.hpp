// A limit around one stage of work: the only way the daemon times things out.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include <chrono>
#include <string_view>

namespace agentd::aio {

enum class errc {
    timed_out = 1, // the stage did not end within its limit
};

inline std::string_view error_text(errc)
{
    return "timed out";
}

} // namespace agentd::aio

AGENTD_ERROR_ENUM(agentd::aio)

namespace agentd::aio {

// Ends after `span` without an error, or when cancelled.
inline awaitable<> expire_after(std::chrono::milliseconds span)
{
    const auto self = co_await asio::this_coro::executor;
    asio::steady_timer timer{self, span};
    boost::system::error_code woken;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

// The answer of `work`, or errc::timed_out after `limit`; then `work` has been cancelled and
// has ended. `work` returns its errors (one that throws would be waited for until the limit);
// throws operation_aborted when the caller is cancelled.
template <class T>
awaitable<base::result<T>> with_deadline(
    awaitable<base::result<T>> work, std::chrono::milliseconds limit)
{
    using namespace asio::experimental::awaitable_operators;
    auto race = std::move(work) || expire_after(limit);
    auto first = co_await std::move(race);
    if (first.index() == 0)
        co_return std::get<0>(std::move(first));
    co_await rethrow_if_cancelled(); // being cancelled also ends the timer
    co_return std::unexpected(
        base::error{errc::timed_out, fmt::format("no answer within {} ms", limit.count())});
}

} // namespace agentd::aio
