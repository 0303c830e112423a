// When a silent job is looked at, and which looks make a stall.
#include "jobs/stall_watch.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using agentd::jobs::stall_watch;
using look = stall_watch::look;

namespace {

constexpr stall_watch::time_point start{};
const look busy{};
constexpr look waiting{.waits = true, .cpu = 10ms};

} // namespace

TEST_CASE("stall_watch: two looks that find a silent job waiting make a stall, told once")
{
    stall_watch watch{20s, start};
    CHECK(watch.next(start) == start + 5s);
    CHECK(watch.saw(start + 5s, 0));
    CHECK_FALSE(watch.due(start + 14s));
    CHECK(watch.due(start + 15s));
    CHECK_FALSE(watch.looked(start + 15s, waiting));
    CHECK_FALSE(watch.due(start + 19s));
    CHECK(watch.due(start + 20s));
    CHECK(watch.looked(start + 20s, waiting));
    CHECK(watch.stalls());
    CHECK(watch.silent(start + 20s) == 20s);
    CHECK(watch.saw(start + 500s, 0));
    CHECK_FALSE(watch.due(start + 500s));
}

TEST_CASE("stall_watch: output or input begins anew, and a second stall is told again")
{
    stall_watch watch{20s, start};
    CHECK_FALSE(watch.looked(start + 15s, waiting));
    CHECK(watch.looked(start + 20s, waiting));
    CHECK_FALSE(watch.saw(start + 30s, 1));
    CHECK_FALSE(watch.stalls());
    CHECK_FALSE(watch.due(start + 44s));
    CHECK_FALSE(watch.looked(start + 45s, waiting));
    CHECK_FALSE(watch.saw(start + 46s, 2)); // between the two looks
    CHECK_FALSE(watch.looked(start + 61s, waiting));
    CHECK(watch.looked(start + 66s, waiting));
}

TEST_CASE("stall_watch: what works between two looks does not stall, however it looks then")
{
    stall_watch watch{20s, start};
    CHECK_FALSE(watch.looked(start + 15s, waiting));
    CHECK_FALSE(watch.looked(start + 20s, {.waits = true, .cpu = 1s}));
    CHECK(watch.looked(start + 25s, {.waits = true, .cpu = 1100ms}));
}

TEST_CASE("stall_watch: what is busy is looked at ever later, and its look never counts")
{
    stall_watch watch{20s, start};
    CHECK_FALSE(watch.looked(start + 20s, waiting)); // silent long enough, but seen once only
    CHECK_FALSE(watch.looked(start + 25s, busy));
    CHECK_FALSE(watch.due(start + 44s));
    CHECK(watch.due(start + 45s));
    auto now = start + 45s;
    for (const auto pause : {40s, 80s, 160s, 160s, 160s}) {
        CHECK_FALSE(watch.looked(now, busy));
        CHECK_FALSE(watch.due(now + pause - 1s));
        now += pause;
        CHECK(watch.due(now));
    }
    CHECK_FALSE(watch.looked(now, waiting));
    CHECK(watch.looked(now + 5s, waiting));
}
