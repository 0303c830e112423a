#include "aio/flag.hpp"
#include "aio/task_group.hpp"
#include "session/scheduler.hpp"
#include "session/turn_order.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <vector>

using namespace agentd;
using session::applicant;
using session::scheduler;
using session::turn_order;

namespace {

std::vector<std::uint64_t> served(turn_order& order)
{
    std::vector<std::uint64_t> ids;
    while (const auto next = order.next())
        ids.push_back(next->id);
    return ids;
}

aio::awaitable<> enter(scheduler* from, std::optional<scheduler::place>* into, aio::flag* entered)
{
    scheduler::wish wish;
    auto place = co_await from->enter(wish);
    *into = std::move(place);
    entered->raise();
}

} // namespace

TEST_CASE("turn_order: the woken first, then priority, then owners in turn, then arrival")
{
    turn_order order;
    order.add({1, 1000, 0, false});
    order.add({2, 1000, 0, false});
    order.add({3, 2000, 0, false});
    order.add({4, 1000, 5, false});
    order.add({5, 2000, -7, true});
    CHECK(served(order) == std::vector<std::uint64_t>{5, 4, 3, 1, 2});
}

TEST_CASE("turn_order: one owner's flood does not keep another waiting")
{
    turn_order order;
    for (std::uint64_t id = 1; id <= 100; ++id)
        order.add({id, 1000, 0, false});
    order.add({500, 2000, 0, false});
    order.add({501, 2000, 0, false});
    const auto ids = served(order);
    CHECK(ids[1] == 500);
    CHECK(ids[3] == 501);
}

TEST_CASE("turn_order: who has left is not served")
{
    turn_order order;
    order.add({1, 0, 0, false});
    CHECK(order.remove(1));
    CHECK_FALSE(order.remove(1));
    CHECK_FALSE(order.next());
}

TEST_CASE("scheduler: a place given back goes to who waits; who is cancelled takes none along")
{
    testing::run_coro([](aio::executor strand) -> aio::awaitable<> {
        scheduler places{strand, 1};
        scheduler::wish wish;
        std::optional<scheduler::place> held = co_await places.enter(wish);
        std::optional<scheduler::place> given_up, next;
        aio::flag first_in{strand}, second_in{strand};
        aio::task_group quitter{strand}, waiter{strand};
        quitter.spawn("quitter", enter(&places, &given_up, &first_in));
        waiter.spawn("waiter", enter(&places, &next, &second_in));
        quitter.cancel();
        co_await quitter.join();
        CHECK_FALSE(second_in.is_raised());
        held.reset();
        co_await second_in.wait();
        CHECK_FALSE(first_in.is_raised());
        co_await waiter.join();
    });
}

TEST_CASE("scheduler: cancelled in the moment of being served, the place is not lost")
{
    testing::run_coro([](aio::executor strand) -> aio::awaitable<> {
        for (int round = 0; round < 200; ++round) {
            scheduler places{strand, 1};
            scheduler::wish wish;
            std::optional<scheduler::place> held = co_await places.enter(wish);
            std::optional<scheduler::place> other;
            aio::flag entered{strand};
            aio::task_group quitter{strand};
            quitter.spawn("quitter", enter(&places, &other, &entered));
            for (int i = 0; i < round % 8; ++i)
                co_await aio::sleep_for(std::chrono::milliseconds{0});
            held.reset();
            quitter.cancel();
            co_await quitter.join();
            other.reset();
            auto again = co_await places.enter(wish); // hangs if it was lost
            held = std::move(again);
        }
    });
}
