#include "aio/blocking_pool.hpp"
#include "aio/condition.hpp"
#include "aio/deadline.hpp"
#include "aio/flag.hpp"
#include "aio/mailbox.hpp"
#include "aio/task_group.hpp"
#include "tests/support/run_coro.hpp"

#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <doctest/doctest.h>

#include <thread>

using namespace agentd;
using namespace std::chrono_literals;
using testing::run_coro;

namespace {

// A coroutine that waits until it is cancelled, and what the test sees of it.
struct sleeper {
    explicit sleeper(const aio::executor& strand) : home(strand), begun(strand) {}

    aio::executor home;
    aio::flag begun; // on the test's strand, wherever the coroutine runs
    bool cancelled = false;
};

aio::awaitable<> wait_for_ever(sleeper* self)
{
    boost::asio::post(self->home, [self] { self->begun.raise(); });
    try {
        co_await aio::sleep_for(1h);
    } catch (const boost::system::system_error&) {
        self->cancelled = true;
        throw;
    }
}

aio::awaitable<base::result<int>> answer_after(std::chrono::milliseconds span, int value)
{
    co_await aio::sleep_for(span);
    co_return value;
}

aio::awaitable<> raise(aio::flag* what)
{
    what->raise();
    co_return;
}

aio::awaitable<> pop_into(aio::mailbox<int>* box, std::vector<int>* got, aio::condition* grown)
{
    for (;;) {
        const int item = co_await box->pop();
        got->push_back(item);
        grown->notify_all();
    }
}

aio::awaitable<> fail()
{
    throw std::runtime_error{"on purpose"};
    co_return;
}

aio::awaitable<> cancel_all(aio::task_group* group)
{
    group->cancel();
    co_return;
}

} // namespace

TEST_CASE("task_group: cancel ends what waits, and join waits for its end")
{
    run_coro([](aio::executor strand) -> aio::awaitable<> {
        sleeper one{strand};
        aio::task_group group{strand};
        group.spawn("sleeper", wait_for_ever(&one));
        co_await one.begun.wait();
        group.cancel();
        co_await group.join();
        CHECK(one.cancelled);
        CHECK(group.size() == 0);
    });
}

TEST_CASE("task_group: cancel before the first step of a coroutine ends it, too")
{
    run_coro([](aio::executor strand) -> aio::awaitable<> {
        sleeper one{strand};
        aio::task_group group{strand};
        group.spawn("sleeper", wait_for_ever(&one));
        group.cancel();
        co_await group.join();
        CHECK(group.size() == 0);
    });
}

TEST_CASE("task_group: one that never waits may be cancelled before its first step, or by itself")
{
    boost::asio::io_context io;
    const aio::executor strand = aio::make_strand(io.get_executor());
    sleeper one{strand};
    aio::task_group group{strand};
    group.spawn("canceller", cancel_all(&group)); // from outside of the strand: both are queued
    group.spawn("sleeper", wait_for_ever(&one));
    io.run();
    CHECK(group.size() == 0);
}

TEST_CASE("task_group: an exception ends its own coroutine alone")
{
    run_coro([](aio::executor strand) -> aio::awaitable<> {
        aio::flag reached{strand};
        aio::task_group group{strand};
        group.spawn("failing", fail());
        group.spawn("other", raise(&reached));
        co_await group.join();
        CHECK(reached.is_raised());
    });
}

TEST_CASE("task_group: coroutines of other strands are cancelled on their own strand")
{
    run_coro([](aio::executor strand) -> aio::awaitable<> {
        sleeper one{strand};
        aio::task_group group{strand};
        group.spawn_on(aio::make_strand(strand), "elsewhere", wait_for_ever(&one));
        co_await one.begun.wait();
        group.cancel();
        co_await group.join();
        CHECK(one.cancelled);
    });
}

TEST_CASE("with_deadline: gives the answer in time, timed_out after the limit")
{
    run_coro([](aio::executor) -> aio::awaitable<> {
        auto early = co_await aio::with_deadline(answer_after(1ms, 7), 10s);
        REQUIRE(early);
        CHECK(*early == 7);
        auto late = co_await aio::with_deadline(answer_after(1h, 7), 5ms);
        REQUIRE_FALSE(late);
        CHECK(late.error().is(aio::errc::timed_out));
    });
}

TEST_CASE("mailbox: items arrive in order, a full one refuses")
{
    run_coro([](aio::executor strand) -> aio::awaitable<> {
        aio::mailbox<int> box{strand, 2};
        CHECK(box.push(1));
        CHECK(box.push(2));
        CHECK_FALSE(box.push(3));
        std::vector<int> got;
        aio::condition grown{strand};
        aio::task_group group{strand};
        group.spawn("consumer", pop_into(&box, &got, &grown));
        const auto never = std::chrono::steady_clock::time_point::max();
        while (got.size() < 2)
            co_await grown.wait_until(never);
        CHECK(box.push(4));
        while (got.size() < 3)
            co_await grown.wait_until(never);
        group.cancel();
        co_await group.join();
        CHECK(got == std::vector{1, 2, 4});
    });
}

TEST_CASE("blocking_pool: work runs on another thread and its value comes home")
{
    run_coro([](aio::executor) -> aio::awaitable<> {
        aio::blocking_pool pool{1};
        const auto here = std::this_thread::get_id();
        auto work = [] { return std::this_thread::get_id(); };
        const auto there = co_await pool.run(work);
        CHECK(there != here);
        CHECK(std::this_thread::get_id() == here);
    });
}
