#include "aio/flag.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace agentd::aio {

void flag::raise()
{
    is_raised_ = true;
    raised_.cancel();
}

awaitable<> flag::wait()
{
    while (!is_raised_) {
        // Several may wait on the one timer, so its expiry is only ever set to "never".
        if (raised_.expiry() != asio::steady_timer::time_point::max())
            raised_.expires_at(asio::steady_timer::time_point::max());
        boost::system::error_code woken;
        co_await raised_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        co_await rethrow_if_cancelled();
    }
}

} // namespace agentd::aio
