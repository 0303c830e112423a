// Blocking work that many coroutines want the answer of.
#include "aio/task_group.hpp"
#include "model/side_work.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

namespace {

aio::awaitable<> want(model::side_work<int>& from, int& begun, int& sum)
{
    ++begun; // and without a pause on to where it waits
    const auto got = co_await from.wanted();
    sum += got.value_or(1000);
}

} // namespace

TEST_CASE("side work: all who wait share one answer; one that is kept is never asked for again")
{
    for (const bool keeps : {true, false}) {
        std::atomic<int> calls = 0;
        std::promise<void> release;
        const auto work = [&calls, released = release.get_future().share()] {
            released.wait();
            return base::result<int>{++calls};
        };
        const model::side_work_bounds bounds{.threads = 4, .patience = 10s, .keeps = keeps};
        model::side_work<int> from{work, bounds};
        int begun = 0, sum = 0, later = 0;
        run_coro([&from, &release, &begun, &sum, &later](aio::executor io) -> aio::awaitable<> {
            aio::task_group all{io};
            for (int i = 0; i < 20; ++i)
                all.spawn("waiter", want(from, begun, sum));
            while (begun != 20)
                co_await aio::sleep_for(1ms);
            release.set_value();
            co_await all.join();
            co_await want(from, begun, later);
        });
        CHECK(sum == 20);
        CHECK(later == (keeps ? 1 : 2));
    }
}

TEST_CASE("side work: no more threads than allowed, however many callers lose their patience")
{
    std::atomic<int> calls = 0;
    std::promise<void> release;
    const auto work = [&calls, released = release.get_future().share()] {
        ++calls;
        released.wait();
        return base::result<int>{1};
    };
    const model::side_work_bounds bounds{.threads = 3, .patience = 0ms};
    model::side_work<int> from{work, bounds};
    int begun = 0, sum = 0;
    run_coro([&from, &release, &calls, &begun, &sum](aio::executor io) -> aio::awaitable<> {
        aio::task_group all{io};
        for (int i = 0; i < 20; ++i)
            all.spawn("waiter", want(from, begun, sum));
        while (begun != 20 || calls < 3)
            co_await aio::sleep_for(1ms);
        co_await aio::sleep_for(20ms); // a fourth would have begun by now
        CHECK(calls == 3);
        release.set_value();
        co_await all.join();
    });
    CHECK(sum == 20);
}
