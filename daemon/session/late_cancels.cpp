#include "session/late_cancels.hpp"

#include "base/at_exit.hpp"
#include "session/commit.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace agentd::session {
namespace {

constexpr std::size_t most_waiting = 1000; // as many as tasks run

} // namespace

late_cancels::late_cancels(environment& shared)
    : shared_(shared), strand_(aio::make_strand(shared.io)), group_(strand_)
{}

bool late_cancels::add(request what, std::function<void()> stored)
{
    if (waiting_.fetch_add(1) >= most_waiting) {
        --waiting_;
        return false;
    }
    boost::asio::post(
        strand_, [this, what = std::move(what), stored = std::move(stored)]() mutable {
            if (!stopping_)
                group_.spawn("late cancel", keep(std::move(what), std::move(stored)));
        });
    return true;
}

aio::awaitable<> late_cancels::keep(request what, std::function<void()> stored)
{
    auto leave = [this] { --waiting_; };
    const base::at_exit counted{leave};
    auto work = [what = std::move(what)](store::connection& db) { what(db); };
    co_await commit(shared_, store::step::request_cancel, std::move(work));
    stored();
}

aio::awaitable<> late_cancels::stop()
{
    co_await aio::on(strand_, end());
}

aio::awaitable<> late_cancels::end()
{
    stopping_ = true;
    group_.cancel();
    co_await group_.join();
}

} // namespace agentd::session
