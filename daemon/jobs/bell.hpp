// What a waiting coroutine is woken by: somebody rings, or its time comes. A ring that comes
// before the wait is not lost; rings merge. One waiter; on one strand only.
#pragma once

#include "aio/awaitable.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>

namespace agentd::jobs {

class bell {
public:
    using time_point = aio::asio::steady_timer::time_point;
    static constexpr time_point never = time_point::max();

    explicit bell(const aio::executor& strand) : timer_(strand) {}

    void ring()
    {
        rung_ = true;
        timer_.cancel();
    }

    // Goes on at a ring, at `until`, or when cancelled: the caller finds out which.
    aio::awaitable<> wait_until(time_point until = never)
    {
        if (!rung_) {
            timer_.expires_at(until);
            boost::system::error_code woken;
            co_await timer_.async_wait(aio::asio::redirect_error(aio::asio::use_awaitable, woken));
        }
        rung_ = false;
    }

private:
    bool rung_ = false;
    aio::asio::steady_timer timer_;
};

} // namespace agentd::jobs
