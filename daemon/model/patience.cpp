#include "model/patience.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace agentd::model {

void patience::allow(std::chrono::milliseconds span, std::string_view stage)
{
    stage_until_ = base::mono_now() + span;
    span_ = span;
    stage_ = stage;
    if (timer_.expiry() > stage_until_)
        timer_.cancel(); // the watcher looks again
}

void patience::allow_in_all(std::chrono::milliseconds span)
{
    all_span_ = span;
    if (span.count() != 0)
        all_until_ = base::mono_now() + span;
}

base::mono_time patience::until() const
{
    return std::min(stage_until_, all_until_);
}

aio::awaitable<> patience::run_out()
{
    while (base::mono_now() < until()) {
        timer_.expires_at(until());
        boost::system::error_code woken;
        co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, woken));
        co_await aio::rethrow_if_cancelled();
    }
}

std::string patience::what_ran_out() const
{
    if (all_until_ <= base::mono_now())
        return fmt::format("the attempt took longer than {} ms", all_span_.count());
    return fmt::format("nothing for {} ms while {}", span_.count(), stage_);
}

} // namespace agentd::model
