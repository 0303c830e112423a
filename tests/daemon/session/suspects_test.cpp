#include "session/suspects.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

using namespace agentd;
using namespace std::chrono_literals;
using session::suspects;

namespace {

// What the registry and the store are to the suspects. All on one thread.
struct stage {
    std::vector<std::string> held, released;
    std::set<std::string> cleared;
    std::map<std::string, int> looks; // at this task

    suspects::means means()
    {
        return {[this](const base::session_id& id) { held.push_back(id.str()); },
            [this](const base::session_id& id) { released.push_back(id.str()); },
            [this](base::task_id id) -> aio::awaitable<bool> {
                ++looks[id.str()];
                co_return cleared.contains(id.str());
            }};
    }
    // Until the task has been looked at so often.
    aio::awaitable<> await_looks(std::string task, int number)
    {
        while (looks[task] < number)
            co_await aio::sleep_for(1ms);
    }
    aio::awaitable<> await_released(std::size_t number)
    {
        while (released.size() < number)
            co_await aio::sleep_for(1ms);
    }
};

std::vector<session::steps::suspect> three()
{
    return {{base::task_id{"t_a"}, base::session_id{"s_a"}},
        {base::task_id{"t_b"}, base::session_id{"s_b"}},
        {base::task_id{"t_c"}, base::session_id{"s_c"}}};
}

using names = std::vector<std::string>;

} // namespace

TEST_CASE("suspects: held back at once, tried one by one, each until it has cleared itself")
{
    testing::run_coro([](aio::executor strand) -> aio::awaitable<> {
        stage at;
        suspects all{strand, at.means(), {1ms, 1min}};
        all.try_later(three());
        CHECK(at.held == names{"s_a", "s_b", "s_c"});
        CHECK(at.released.empty());
        co_await at.await_looks("t_a", 4); // one before it is released
        CHECK(at.released == names{"s_a"});
        at.cleared.insert("t_a");
        co_await at.await_looks("t_b", 3);
        CHECK(at.released == names{"s_a", "s_b"});
        at.cleared.insert("t_b");
        co_await at.await_released(3);
        CHECK(at.released.back() == "s_c");
        co_await all.stop();
    });
}

TEST_CASE("suspects: who is cleared already is waited for by nobody, and a trial has an end")
{
    testing::run_coro([](aio::executor strand) -> aio::awaitable<> {
        stage at;
        at.cleared = {"t_a"};
        suspects all{strand, at.means(), {1ms, 30ms}};
        all.try_later(three());
        co_await at.await_released(3);
        CHECK(at.released == names{"s_a", "s_b", "s_c"});
        CHECK(at.looks["t_a"] == 1);
        CHECK(at.looks["t_b"] >= 2);
        co_await all.stop();
    });
}

TEST_CASE("suspects: stopped before their time, none is tried")
{
    testing::run_coro([](aio::executor strand) -> aio::awaitable<> {
        stage at;
        suspects all{strand, at.means(), {1min, 1min}};
        all.try_later(three());
        co_await all.stop();
        CHECK(at.released.empty());
    });
}
