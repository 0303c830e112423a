// A bounded queue from many producers to one consuming coroutine. Producers never wait: a
// full mailbox refuses. On one strand only; from elsewhere, post to it.
#pragma once

#include "aio/awaitable.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <utility>

namespace agentd::aio {

template <class T>
class mailbox {
public:
    mailbox(executor strand, std::size_t capacity) : capacity_(capacity), arrived_(strand) {}

    // False when full; the item is dropped and its producer has to say so.
    [[nodiscard]] bool push(T item)
    {
        if (items_.size() >= capacity_)
            return false;
        items_.push_back(std::move(item));
        arrived_.cancel();
        return true;
    }

    // The oldest item; waits for one. Throws operation_aborted when cancelled.
    awaitable<T> pop()
    {
        while (items_.empty())
            co_await wait();
        T item = std::move(items_.front());
        items_.pop_front();
        co_return item;
    }

    // Everything there is, at least one item; waits for it. Throws when cancelled.
    awaitable<std::deque<T>> drain()
    {
        while (items_.empty())
            co_await wait();
        co_return std::exchange(items_, {});
    }

    [[nodiscard]] std::deque<T> take_all() { return std::exchange(items_, {}); }
    [[nodiscard]] bool empty() const { return items_.empty(); }
    [[nodiscard]] std::size_t size() const { return items_.size(); }

private:
    awaitable<> wait()
    {
        // push() cancels the wait, and so does cancelling the coroutine: ask which it was.
        arrived_.expires_at(asio::steady_timer::time_point::max());
        boost::system::error_code woken;
        co_await arrived_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        co_await rethrow_if_cancelled();
    }

    std::size_t capacity_;
    std::deque<T> items_;
    asio::steady_timer arrived_;
};

} // namespace agentd::aio
