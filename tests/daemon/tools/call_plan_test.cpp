// Tables for the order in which the calls of one reply start.
#include "tools/call_plan.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using agentd::tools::call_plan;
using numbers = std::vector<std::size_t>;

namespace {

// "rrW": r for a call without effect on files, W for a barrier.
call_plan plan_of(const std::string& calls, std::size_t at_once = 8)
{
    std::vector<bool> barriers;
    for (const char c : calls)
        barriers.push_back(c == 'W');
    return call_plan{barriers, at_once};
}

} // namespace

TEST_CASE("call_plan: without barriers all calls start at once, in call order")
{
    auto plan = plan_of("rrr");
    CHECK(plan.take_startable() == numbers{0, 1, 2});
    CHECK(plan.take_startable().empty());
    CHECK(plan.running() == 3);
}

TEST_CASE("call_plan: no more run at once than may, and the next starts when one has ended")
{
    auto plan = plan_of("rrrrrrrrrr");
    CHECK(plan.take_startable() == numbers{0, 1, 2, 3, 4, 5, 6, 7});
    plan.ended(5);
    CHECK(plan.take_startable() == numbers{8});
    plan.ended(0);
    plan.ended(1);
    CHECK(plan.take_startable() == numbers{9});
    CHECK_FALSE(plan.done());
}

TEST_CASE("call_plan: a barrier starts after all earlier calls, later ones after it")
{
    auto plan = plan_of("rrWrr");
    CHECK(plan.take_startable() == numbers{0, 1});
    plan.ended(1);
    CHECK(plan.take_startable().empty());
    plan.ended(0);
    CHECK(plan.take_startable() == numbers{2});
    plan.ended(2);
    CHECK(plan.take_startable() == numbers{3, 4});
    plan.ended(4);
    plan.ended(3);
    CHECK(plan.done());
}

TEST_CASE("call_plan: barriers in a row run one after the other")
{
    auto plan = plan_of("WWr");
    CHECK(plan.take_startable() == numbers{0});
    CHECK(plan.take_startable().empty());
    plan.ended(0);
    CHECK(plan.take_startable() == numbers{1});
    plan.ended(1);
    CHECK(plan.take_startable() == numbers{2});
}

TEST_CASE("call_plan: with one at a time the order is the calls' order")
{
    auto plan = plan_of("rWr", 1);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(plan.take_startable() == numbers{i});
        plan.ended(i);
    }
    CHECK(plan.done());
}

TEST_CASE("call_plan: a reply without calls is done at once")
{
    auto plan = plan_of("");
    CHECK(plan.take_startable().empty());
    CHECK(plan.done());
}
