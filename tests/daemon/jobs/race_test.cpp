// Many sessions on several threads: what they share is the table of children, the places and
// the spool. Meant for TSan, and right without it.
#include "tests/daemon/jobs/rig.hpp"

#include <boost/asio/this_coro.hpp>

#include <doctest/doctest.h>

using namespace agentd;
using namespace std::chrono_literals;
using testing::rig;
using testing::with_both_means;

namespace {

aio::awaitable<> run_session(rig& with, int number, int* good)
{
    const auto strand = co_await boost::asio::this_coro::executor;
    const base::session_id session{"s_" + std::to_string(number)};
    jobs::foreground commands{strand, with.shared, session};
    for (int i = 0; i < 5; ++i) {
        auto turn = co_await with.shared.job_places.enter(session);
        if (!turn)
            co_return;
        auto text = with.command("(setsid sleep 300 &); echo " + std::to_string(i));
        jobs::job one{strand, with.shared, base::new_job_id(), std::move(text), std::move(*turn)};
        const auto end = co_await one.run();
        auto small = with.command("sleep 300 & echo x");
        const auto shown = co_await commands.run(std::move(small));
        *good += end.output.head == std::to_string(i) + "\n" && end.leftovers == 1 &&
                shown.output.head == "x\n" && shown.leftovers == 1
            ? 1
            : 0;
    }
}

} // namespace

TEST_CASE("race: sessions on four threads run commands side by side")
{
    auto options = testing::quick();
    options.job_caps = {2, 6, 100};
    const auto test = [](rig& with) -> aio::awaitable<> {
        std::vector<int> good(12);
        aio::task_group group{with.strand};
        int number = 0;
        for (auto& count : good) {
            const auto strand = aio::make_strand(with.shared.io);
            group.spawn_on(strand, "session", run_session(with, ++number, &count));
        }
        co_await group.join();
        for (const int count : good)
            CHECK(count == 5);
    };
    with_both_means(test, options, 4);
}
