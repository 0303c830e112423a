// What is kept for how long, and that removing the rest makes nobody wait.
#include "base/retention_limits.hpp"
#include "store/idempotency.hpp"
#include "store/retention.hpp"
#include "tests/daemon/store/fixture.hpp"

#include <algorithm>

namespace agentd::testing {
namespace {

using store::connection;
using store::durability;
using store::retention_rules;

constexpr auto day = std::chrono::hours{24};
const auto now = base::wall_time{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

void add_events(test_store& db, std::int64_t count, base::wall_time time)
{
    REQUIRE(db.write([=](connection& c) {
        for (std::int64_t i = 0; i < count; ++i) {
            auto one = event(i % 10 == 0 ? "task.started" : "tool.started",
                "s_" + std::to_string(i % 100), "t_" + std::to_string(i % 100));
            one.time = time;
            one.body = R"({"name":"bash","tool_use_id":"toolu_01AbCdEfGhIjKlMnOpQrStUv","turn":1})";
            c.append_event(std::move(one));
        }
    }));
}

// All that is due; the number of steps.
int purge_all(test_store& db, const retention_rules& rules)
{
    for (int steps = 0;; ++steps) {
        const auto due = db.read([&](connection& c) { return store::is_purge_due(c, rules, now); });
        REQUIRE(due.has_value());
        if (!*due)
            return steps;
        const auto gone = db.write([&](connection& c) { return store::purge(c, rules, now); });
        REQUIRE(gone.has_value());
        CHECK(gone->events <= static_cast<std::int64_t>(limits::purge_events));
        CHECK(gone->events + gone->keys + gone->ids + gone->pages > 0); // else it would never end
    }
}

base::event_seq oldest(test_store& db)
{
    return db.read([](connection& c) { return store::events::oldest(c); }).value_or(0);
}

TEST_CASE("retention: events go by their age, oldest first, and the newest one stays")
{
    const temp_folder folder;
    test_store db{folder.state()};
    add_events(db, 1200, now - day * 40);
    add_events(db, 100, now - day * 10);
    CHECK(purge_all(db, {day * 30, 1'000'000}) == 3);
    CHECK(oldest(db) == 1201);
    CHECK(purge_all(db, {day * 5, 1'000'000}) == 1);
    CHECK(oldest(db) == 1300);
    CHECK(db.write([](connection& c) {
                return c.append_event(event("daemon.started"));
            }).value_or(0) == 1301);
}

TEST_CASE("retention: events go by their number; numbers that a power loss left out are none")
{
    const temp_folder folder;
    const temp_folder copy;
    {
        test_store db{folder.state(), {.boot_id = "one"}};
        add_events(db, 1000, now);
        CHECK(purge_all(db, {day * 30, 600}) == 1);
        CHECK(oldest(db) == 401);
        std::filesystem::copy(folder.state(), copy.state());
    }
    test_store db{copy.state(), {.boot_id = "two"}};
    const auto jump = db->jump().value_or(store::seq_jump{});
    REQUIRE(db.write([jump](connection& c) {
        auto told = event("daemon.recovered");
        told.body = "{\"from\":" + std::to_string(jump.first) +
            ",\"to\":" + std::to_string(jump.last) + "}";
        return c.append_event(std::move(told));
    }));
    add_events(db, 49, now);
    CHECK(purge_all(db, {day * 30, 600}) == 1);
    CHECK(oldest(db) == 451); // 550 before the jump, 50 behind it
}

TEST_CASE("retention: remembered answers are forgotten after a day, a bounded number in a step")
{
    const temp_folder folder;
    test_store db{folder.state()};
    REQUIRE(db.write([](connection& c) {
        for (int i = 0; i < 700; ++i) {
            store::idempotency::row row;
            row.path = "/v1/tasks";
            row.key = std::to_string(i);
            store::idempotency::insert(c, row, i < 600 ? now - day * 2 : now);
        }
    }));
    CHECK(purge_all(db, {}) == 2);
    const auto left = db.read([](connection& c) {
        auto counted = c.prepare("SELECT count(*) FROM idempotency");
        counted.next();
        return counted.integer(0);
    });
    CHECK(left.value_or(0) == 100);
}

TEST_CASE("retention: ids of what was deleted are forgotten with the events of their time")
{
    const temp_folder folder;
    test_store db{folder.state()};
    REQUIRE(db.write([](connection& c) {
        CHECK(store::sessions::insert(c, session_row("s_aaaa")));
        for (int i = 0; i < 600; ++i)
            CHECK(store::tasks::insert(c, task_row("t_" + std::to_string(i), "s_aaaa")));
        store::sessions::remove(c, base::session_id{"s_aaaa"});
    }));
    const auto forgotten = [&db](std::chrono::hours later) {
        const auto gone = db.write([later](connection& c) {
            const auto then = base::wall_now() + later;
            CHECK(store::is_purge_due(c, {}, then) == (later > day * 30));
            return store::purge(c, {}, then).ids;
        });
        return gone.value_or(-1);
    };
    const auto is_given = [&db](const char* id) {
        return db.write([id](connection& c) { return store::sessions::insert(c, session_row(id)); })
            .value_or(false);
    };
    CHECK(forgotten(day * 29) == 0);
    CHECK_FALSE(is_given("s_aaaa"));
    CHECK(forgotten(day * 31) == 500);
    CHECK(forgotten(day * 31) == 101);
    CHECK(is_given("s_aaaa"));
}

TEST_CASE("retention: what was purged is given back to the file system")
{
    const temp_folder folder;
    {
        test_store db{folder.state()};
        for (int i = 0; i < 8; ++i)
            add_events(db, 50'000, now - day * 40);
    }
    const auto before = std::filesystem::file_size(folder.state() + "/agentd.db");
    {
        test_store db{folder.state()};
        purge_all(db, {});
    }
    const auto after = std::filesystem::file_size(folder.state() + "/agentd.db");
    CHECK(before > 40U << 20);
    CHECK(after < 24U << 20); // what is kept free, and little more
}

// Writes as a session does until some of a long history is purged; the longest write.
aio::awaitable<> write_on(store::store& db, std::chrono::milliseconds& longest,
    std::chrono::milliseconds& sum, std::size_t& writes)
{
    for (base::event_seq first = 0; first <= 1000 || writes < 200; ++writes) {
        const auto begun = base::mono_now();
        auto work = [](connection& c) {
            return c.append_event(event("turn.started", "s_1", "t_1"));
        };
        const auto seq =
            co_await db.write(store::step::begin_turn, durability::process_death, std::move(work));
        REQUIRE(seq.has_value());
        longest = std::max(longest, base::elapsed_since(begun));
        sum += base::elapsed_since(begun);
        const auto kept = co_await db.read(store::events::oldest);
        first = kept.value_or(first);
    }
}

TEST_CASE("retention: nobody waits long while a long history is purged")
{
    const temp_folder folder;
    test_store db{folder.state()};
    for (int i = 0; i < 4; ++i)
        add_events(db, 50'000, base::wall_now() - day * 40);
    std::chrono::milliseconds longest{0};
    std::chrono::milliseconds sum{0};
    std::size_t writes = 0;
    db.run(
        [&db, &longest, &sum, &writes](aio::executor strand) -> aio::awaitable<> {
            store::retention purging{*db, {}};
            aio::task_group beside{strand};
            beside.spawn("retention", purging.run());
            co_await write_on(*db, longest, sum, writes);
            beside.cancel();
            co_await beside.join();
        },
        std::chrono::seconds{60});
    const auto purged = oldest(db);
    MESSAGE("purged ", purged, " events beside ", writes, " writes: the longest took ",
        longest.count(), " ms, together ", sum.count(), " ms");
    CHECK(purged > 1000);
    CHECK(longest < std::chrono::milliseconds{1000}); // a loaded machine, sanitizers
}

} // namespace
} // namespace agentd::testing
