#include "aio/awaitable.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace agentd::aio {

executor make_strand(const executor& io)
{
    return asio::make_strand(io);
}

awaitable<> rethrow_if_cancelled()
{
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error{asio::error::operation_aborted};
}

awaitable<> sleep_for(std::chrono::milliseconds span)
{
    const auto self = co_await asio::this_coro::executor;
    asio::steady_timer timer{self, span};
    co_await timer.async_wait(asio::use_awaitable);
}

} // namespace agentd::aio
