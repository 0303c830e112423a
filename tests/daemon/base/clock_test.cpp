#include "base/clock.hpp"
#include "base/ids.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace agentd::base;

TEST_CASE("rfc3339: writes UTC with ms and reads it back")
{
    const wall_time time{std::chrono::milliseconds{1'795'160'229'123}};
    CHECK(to_rfc3339(time) == "2026-11-20T07:37:09.123Z");
    CHECK(from_rfc3339("2026-11-20T07:37:09.123Z") == time);
    CHECK(from_rfc3339("2026-11-20T08:37:09.123+01:00") == time);
    CHECK(from_rfc3339("2026-11-20T07:37:09Z") == time - std::chrono::milliseconds{123});
}

TEST_CASE("rfc3339: refuses what is no time")
{
    for (const char* bad : {"", "2026-11-20", "2026-13-20T07:37:09Z", "2026-11-20T07:37:09",
             "2026-11-20T07:37:09.Q", "2026-11-31T07:37:09Z", "x026-11-20T07:37:09Z"})
        CHECK_FALSE(from_rfc3339(bad));
}

TEST_CASE("ids: have their form and do not repeat")
{
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const auto id = new_task_id();
        CHECK(id.str().size() == 12);
        CHECK(id.str().starts_with("t_"));
        CHECK(
            id.str().find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", 2) == std::string::npos);
        seen.insert(id.str());
    }
    CHECK(seen.size() == 1000);
    CHECK(new_job_id().str().find_first_not_of("0123456789abcdef") == std::string::npos);
}
