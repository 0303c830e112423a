#include "session/suspects.hpp"

#include "base/log.hpp"
#include "session/commit.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace agentd::session {

suspects::suspects(environment& shared, registry& sessions)
    : shared_(shared), sessions_(sessions), strand_(aio::make_strand(shared.io)), trying_(strand_)
{}

void suspects::try_later(std::vector<steps::suspect> all)
{
    if (all.empty())
        return;
    for (const auto& one : all)
        sessions_.hold_back(one.session);
    boost::asio::post(strand_, [this, all = std::move(all)]() mutable {
        trying_.start("suspects", try_all(std::move(all)));
    });
}

aio::awaitable<> suspects::stop()
{
    co_await aio::on(strand_, end());
}

aio::awaitable<> suspects::end()
{
    trying_.cancel();
    co_await trying_.join();
}

aio::awaitable<> suspects::try_all(std::vector<steps::suspect> all)
{
    co_await aio::sleep_for(suspect_pause);
    std::size_t tried = 0;
    for (const auto& one : all) {
        log::warning("task.suspect", {one.session.str(), one.task.str()},
            "agentd ended {} times while this task had a step in progress: tried once more",
            steps::crash_loop_ends - 1);
        sessions_.release(one.session);
        if (++tried < suspects_apart)
            co_await await_step(one.task);
    }
}

aio::awaitable<> suspects::await_step(base::task_id id)
{
    constexpr std::chrono::milliseconds between_looks{20};
    for (auto waited = between_looks; waited <= suspect_pause; waited += between_looks) {
        co_await aio::sleep_for(between_looks);
        auto look = [id](store::connection& db) {
            const auto task = store::tasks::find(db, id);
            return !task || task->shown.ended_at.has_value() || task->unclean_ends == 0;
        };
        const bool cleared = co_await commit_read(shared_, std::move(look));
        if (cleared)
            co_return;
    }
}

} // namespace agentd::session
