#include "session/suspects.hpp"

#include "base/clock.hpp"
#include "base/log.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace agentd::session {

suspects::suspects(const aio::executor& io, means how, patience times)
    : how_(std::move(how)), times_(times), strand_(aio::make_strand(io)), trying_(strand_)
{}

void suspects::try_later(std::vector<steps::suspect> all)
{
    if (all.empty())
        return;
    for (const auto& one : all)
        how_.hold_back(one.session);
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
    co_await aio::sleep_for(times_.before);
    std::size_t tried = 0;
    for (const auto& one : all) {
        const bool cleared = co_await how_.is_cleared(one.task); // cancelled meanwhile
        if (!cleared)
            log::warning("task.suspect", {one.session.str(), one.task.str()},
                "agentd ended {} times or more while this task had a step in progress: tried once "
                "more",
                limits::crash_loop_ends - 1);
        how_.release(one.session);
        if (!cleared && ++tried < limits::suspects_apart)
            co_await await_step(one.task);
    }
}

aio::awaitable<> suspects::await_step(base::task_id id)
{
    const auto until = base::mono_now() + times_.trial;
    auto pause = limits::suspect_look;
    while (base::mono_now() < until) {
        co_await aio::sleep_for(pause);
        const bool cleared = co_await how_.is_cleared(id);
        if (cleared)
            co_return;
        pause = std::min(pause * 2, limits::suspect_look_longest);
    }
    log::warning("task.suspect", {"", id.str()}, "its trial takes long: the next one begins");
}

} // namespace agentd::session
