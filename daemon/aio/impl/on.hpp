// The template behind aio::on; see aio/awaitable.hpp.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace agentd::aio {

template <class T>
awaitable<T> on(executor target, awaitable<T> work)
{
    auto running = asio::co_spawn(target, std::move(work), asio::use_awaitable);
    co_return co_await std::move(running);
}

} // namespace agentd::aio
