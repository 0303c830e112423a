#include "aio/condition.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace agentd::aio {
namespace {

// Takes the timer out of the list however the wait ends.
class listed {
public:
    listed(std::list<asio::steady_timer*>& in, asio::steady_timer& timer)
        : in_(in), at_(in.insert(in.end(), &timer))
    {}
    listed(const listed&) = delete;
    listed& operator=(const listed&) = delete;
    ~listed() { in_.erase(at_); }

private:
    std::list<asio::steady_timer*>& in_;
    std::list<asio::steady_timer*>::iterator at_;
};

} // namespace

void condition::notify_all()
{
    for (auto* timer : waiting_)
        timer->cancel();
}

awaitable<> condition::wait_until(std::chrono::steady_clock::time_point deadline)
{
    asio::steady_timer timer{strand_, deadline};
    const listed entry{waiting_, timer};
    boost::system::error_code woken;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    co_await rethrow_if_cancelled();
}

} // namespace agentd::aio
