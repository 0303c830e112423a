// The template behind aio::on; see aio/awaitable.hpp.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace agentd::aio {
namespace detail {

// Takes a cancellation to the other executor. The signal is shared with what is under way: with
// a co_spawn of its own, Asio (1.81 and 1.83, co_spawn_cancellation_handler) posts a pointer
// into the caller's slot, and by the time it is used there the caller may have gone on.
struct cancel_there {
    executor target;
    std::shared_ptr<asio::cancellation_signal> signal;

    void operator()(asio::cancellation_type type) const
    {
        asio::post(target, [kept = signal, type] { kept->emit(type); });
    }
};

// Comes home with the value; the signal lives until then.
template <class Handler>
struct come_back {
    Handler handler;
    std::shared_ptr<asio::cancellation_signal> signal;

    template <class... Value>
    void operator()(std::exception_ptr failure, Value... value)
    {
        std::move(handler)(std::move(failure), std::move(value)...);
    }
};

struct start_there {
    executor target;

    template <class Handler, class T>
    void operator()(Handler handler, awaitable<T> work) const
    {
        auto signal = std::make_shared<asio::cancellation_signal>();
        if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
            slot.assign(cancel_there{target, signal});
        const auto home = asio::get_associated_executor(handler);
        const auto there = signal->slot();
        come_back<Handler> back{std::move(handler), std::move(signal)};
        asio::co_spawn(target, std::move(work),
            asio::bind_cancellation_slot(there, asio::bind_executor(home, std::move(back))));
    }
};

template <class T>
struct outcome_of {
    using type = void(std::exception_ptr, T);
};
template <>
struct outcome_of<void> {
    using type = void(std::exception_ptr);
};

} // namespace detail

template <class T>
awaitable<T> on(executor target, awaitable<T> work)
{
    using signature = typename detail::outcome_of<T>::type;
    const detail::start_there start{std::move(target)};
    auto running = asio::async_initiate<const asio::use_awaitable_t<executor>, signature>(
        start, asio::use_awaitable, std::move(work));
    co_return co_await std::move(running);
}

} // namespace agentd::aio
