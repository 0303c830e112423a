// Transactions as the callers see them: values, errors, neighbours, events.
#include "aio/task_group.hpp"
#include "store/sqlite.hpp"
#include "tests/daemon/store/fixture.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <atomic>
#include <latch>
#include <set>
#include <stdexcept>
#include <thread>

namespace agentd::testing {
namespace {

using store::connection;
using store::durability;
using store::step;

// Events as they were published, commit by commit. Written on the store's thread; read when
// all writes have been answered.
struct published {
    std::vector<store::committed_events> commits;

    std::vector<base::event_seq> seqs() const
    {
        std::vector<base::event_seq> all;
        for (const auto& commit : commits)
            for (const auto& e : *commit)
                all.push_back(e.seq);
        return all;
    }
};

std::vector<base::event_seq> up_to(base::event_seq last)
{
    std::vector<base::event_seq> all;
    for (base::event_seq seq = 1; seq <= last; ++seq)
        all.push_back(seq);
    return all;
}

TEST_CASE("write: values, results and nothing at all come back flat")
{
    const temp_folder folder;
    test_store db{folder.state()};

    const base::result<int> plain = db.write([](connection&) { return 7; });
    const base::result<std::string> wrapped =
        db.write([](connection&) -> base::result<std::string> { return "x"; });
    const base::result<> none = db.write([](connection&) {});
    const base::result<> empty = db.write([](connection&) -> base::result<> { return {}; });

    CHECK(plain.value_or(0) == 7);
    CHECK(wrapped.value_or("") == "x");
    CHECK(none.has_value());
    CHECK(empty.has_value());
}

TEST_CASE("write: what can only be moved goes in and comes out")
{
    const temp_folder folder;
    test_store db{folder.state()};
    auto in = std::make_unique<int>(5);
    auto out = db.write([in = std::move(in)](connection&) mutable { return std::move(in); });
    REQUIRE(out.has_value());
    CHECK(**out == 5);
}

TEST_CASE("write: an error in the value undoes the work and is the answer")
{
    const temp_folder folder;
    test_store db{folder.state()};

    const auto refused = db.write([](connection& c) -> base::result<int> {
        CHECK(store::sessions::insert(c, session_row("s_aaaa")));
        return std::unexpected(base::error{store::errc::closed, "not today"});
    });
    const auto kept = db.read([](connection& c) { return store::sessions::count(c); });

    REQUIRE(!refused.has_value());
    CHECK(refused.error().is(store::errc::closed));
    CHECK(refused.error().text == "not today");
    CHECK(kept.value_or(-1) == 0);
    CHECK(db->degraded().empty());
}

TEST_CASE("write: a work that breaks the schema or throws fails alone, the store goes on")
{
    const temp_folder folder;
    test_store db{folder.state()};

    const auto broken =
        db.write([](connection& c) { c.execute("INSERT INTO nothing VALUES (1)"); });
    const auto thrown = db.write([](connection&) -> int { throw std::runtime_error{"a bug"}; });
    const auto fine =
        db.write([](connection& c) { return store::sessions::insert(c, session_row("s_aaaa")); });

    REQUIRE(!broken.has_value());
    CHECK(broken.error().is(store::errc::failed));
    REQUIRE(!thrown.has_value());
    CHECK(thrown.error().is(store::errc::failed));
    CHECK(thrown.error().text == "a bug");
    CHECK(fine.value_or(false));
    CHECK(db->degraded().empty());
}

TEST_CASE("write: the caller goes on where it was, not on the store's thread")
{
    const temp_folder folder;
    test_store db{folder.state()};
    db.run([&db](aio::executor strand) -> aio::awaitable<> {
        const auto home = std::this_thread::get_id();
        const auto other = co_await db->write(step::daemon_event, durability::process_death,
            [](connection&) { return std::this_thread::get_id(); });
        CHECK(*other != home);
        CHECK(std::this_thread::get_id() == home);
        const auto self = co_await aio::asio::this_coro::executor;
        CHECK(self == strand);
    });
}

// Holds the writer with one work until `count` others wait behind it, then lets it go.
template <class Work>
std::vector<bool> write_together(test_store& db, std::size_t count, Work work)
{
    std::vector<bool> kept(count);
    db.run([&db, &kept, work](aio::executor strand) -> aio::awaitable<> {
        std::latch all_wait{1};
        aio::task_group group{strand};
        const auto hold = [](store::store& to, std::latch& gate) -> aio::awaitable<> {
            auto wait = [&gate](connection& c) {
                c.append_event(event("daemon.started"));
                gate.wait();
            };
            const auto held =
                co_await to.write(step::daemon_event, durability::process_death, std::move(wait));
            CHECK(held.has_value());
        };
        const auto one = [](store::store& to, Work what, std::size_t index,
                             std::vector<bool>& answers) -> aio::awaitable<> {
            auto mine = [what, index](connection& c) { return what(c, index); };
            const auto outcome =
                co_await to.write(step::submit_task, durability::power_loss, std::move(mine));
            answers[index] = outcome.has_value();
        };
        const auto open = [](std::latch& gate) -> aio::awaitable<> {
            gate.count_down(); // comes after all that were spawned before
            co_return;
        };
        group.spawn("hold", hold(*db, all_wait));
        for (std::size_t i = 0; i < kept.size(); ++i)
            group.spawn("one", one(*db, work, i, kept));
        group.spawn("open", open(all_wait));
        co_await group.join();
    });
    return kept;
}

TEST_CASE("write: works that wait together are one commit")
{
    const temp_folder folder;
    test_store db{folder.state()};
    published seen;
    db->on_events([&seen](store::committed_events events) { seen.commits.push_back(events); });

    const auto kept = write_together(
        db, 200, [](connection& c, std::size_t) { c.append_event(event("task.submitted")); });

    CHECK(std::ranges::count(kept, true) == 200);
    // The one that held the thread, and all that waited (or all at once).
    CHECK(seen.commits.size() <= 2);
    CHECK(seen.seqs() == up_to(201));
}

TEST_CASE("write: one that fails takes nothing of its neighbours, and no number is left out")
{
    const temp_folder folder;
    test_store db{folder.state()};
    published seen;
    db->on_events([&seen](store::committed_events events) { seen.commits.push_back(events); });

    // Of three neighbours one keeps, one answers with an error, one throws.
    const auto kept =
        write_together(db, 90, [](connection& c, std::size_t index) -> base::result<> {
            CHECK(store::sessions::insert(c, session_row("s_" + std::to_string(1000 + index))));
            c.append_event(event("session.created", "s_" + std::to_string(1000 + index)));
            if (index % 3 == 1)
                return std::unexpected(base::error{store::errc::closed, "no"});
            if (index % 3 == 2)
                throw std::runtime_error{"bug"};
            return {};
        });

    for (std::size_t i = 0; i < kept.size(); ++i)
        CHECK(kept[i] == (i % 3 == 0));
    CHECK(seen.seqs() == up_to(31));
    const auto stored = db.read([](connection& c) {
        base::event_seq reached = 0;
        std::vector<base::event_seq> seqs;
        for (const auto& e : store::events::page(c, 0, {}, 1000, reached))
            seqs.push_back(e.seq);
        return std::pair{store::sessions::count(c), seqs};
    });
    CHECK(stored->first == 30);
    CHECK(stored->second == up_to(31));
}

TEST_CASE("write: events are published once, in order, when they are committed")
{
    const temp_folder folder;
    test_store db{folder.state()};
    store::sqlite_connection other{
        folder.state() + "/agentd.db", store::sqlite_connection::role::reads};
    std::vector<base::event_seq> told;
    bool always_committed = true;
    db->on_events([&](store::committed_events events) {
        for (const auto& e : *events)
            told.push_back(e.seq);
        always_committed = always_committed && store::events::newest(other) >= told.back();
    });

    for (int i = 0; i < 50; ++i) {
        const auto done = db.write([i](connection& c) -> base::result<> {
            c.append_event(event("turn.started"));
            c.append_event(event("turn.finished"));
            if (i % 5 == 0)
                return std::unexpected(base::error{store::errc::failed, "undone"});
            return {};
        });
        CHECK(done.has_value() == (i % 5 != 0));
    }

    CHECK(told == up_to(80));
    CHECK(always_committed);
}

TEST_CASE("read: sees everything that was committed before it was asked, and writes nothing")
{
    const temp_folder folder;
    test_store db{folder.state()};
    for (int i = 1; i <= 20; ++i) {
        const auto id = "s_" + std::to_string(i);
        REQUIRE(
            db.write([id](connection& c) {
                  return store::sessions::insert(c, session_row(id));
              }).value_or(false));
        CHECK(db.read([](connection& c) { return store::sessions::count(c); }).value_or(0) == i);
    }
    const auto refused =
        db.read([](connection& c) { return store::sessions::insert(c, session_row("s_aaaa")); });
    CHECK(!refused.has_value());
    const auto event_refused =
        db.read([](connection& c) { return c.append_event(event("task.started")); });
    CHECK(!event_refused.has_value());
}

TEST_CASE("read: goes on while a write holds the other thread")
{
    const temp_folder folder;
    test_store db{folder.state()};
    db.run([&db](aio::executor strand) -> aio::awaitable<> {
        std::latch read_done{1};
        const auto hold = [](store::store& to, std::latch& gate) -> aio::awaitable<> {
            auto work = [&gate](connection& c) {
                CHECK(store::sessions::insert(c, session_row("s_aaaa")));
                gate.wait();
            };
            const auto held =
                co_await to.write(step::submit_task, durability::process_death, std::move(work));
            CHECK(held.has_value());
        };
        aio::task_group group{strand};
        group.spawn("hold", hold(*db, read_done));
        const auto seen =
            co_await db->read([](connection& c) { return store::sessions::count(c); });
        CHECK(seen.value_or(-1) == 0);
        read_done.count_down();
        co_await group.join();
    });
}

TEST_CASE("write: many strands on four threads, each answer on its own strand")
{
    const temp_folder folder;
    boost::asio::thread_pool pool{4}; // outlives the store, which posts to it
    test_store db{folder.state()};
    std::atomic<int> told{0};
    std::atomic<int> good{0};
    db->on_events(
        [&told](store::committed_events events) { told += static_cast<int>(events->size()); });
    const auto client = [](store::store& to, std::atomic<int>& successes,
                            int number) -> aio::awaitable<> {
        const auto self = co_await aio::asio::this_coro::executor;
        const auto id = "s_" + std::to_string(number);
        auto create = [id](connection& c) { return store::sessions::insert(c, session_row(id)); };
        const auto made =
            co_await to.write(step::submit_task, durability::power_loss, std::move(create));
        for (int i = 0; made.value_or(false) && i < 20; ++i) {
            auto add = [id](connection& c) {
                c.append_event(event("turn.started", id));
                return c.append_event(event("turn.finished", id));
            };
            const auto seq =
                co_await to.write(step::begin_turn, durability::process_death, std::move(add));
            auto look = [](connection& c) { return store::events::newest(c); };
            const auto newest = co_await to.read(std::move(look));
            const auto now = co_await aio::asio::this_coro::executor;
            successes += seq && newest && *newest >= *seq && now == self ? 1 : 0;
        }
    };
    db.run(
        [&db, &good, &pool, client](aio::executor strand) -> aio::awaitable<> {
            aio::task_group group{strand};
            for (int i = 0; i < 40; ++i)
                group.spawn_on(
                    aio::make_strand(pool.get_executor()), "client", client(*db, good, i));
            co_await group.join();
        },
        std::chrono::seconds{60});
    pool.join();

    CHECK(good == 800);
    CHECK(told == 1600);
    CHECK(db.read([](connection& c) { return store::events::newest(c); }).value_or(0) == 1600);
}

TEST_CASE("write: a cancelled caller still hears what was committed")
{
    const temp_folder folder;
    test_store db{folder.state()};
    db.run([&db](aio::executor strand) -> aio::awaitable<> {
        std::latch cancelled{1};
        bool answered = false;
        const auto one = [](store::store& to, std::latch& gate, bool& told) -> aio::awaitable<> {
            auto work = [&gate](connection& c) {
                gate.wait();
                return store::sessions::insert(c, session_row("s_aaaa"));
            };
            const auto outcome =
                co_await to.write(step::submit_task, durability::process_death, std::move(work));
            told = outcome.value_or(false);
        };
        const auto cancel = [](aio::task& what, std::latch& gate) -> aio::awaitable<> {
            what.cancel();
            gate.count_down();
            co_return;
        };
        aio::task writing{strand};
        aio::task_group group{strand};
        writing.start("one", one(*db, cancelled, answered));
        group.spawn("cancel", cancel(writing, cancelled));
        co_await group.join();
        co_await writing.join();
        CHECK(answered);
    });
}

TEST_CASE("step: each has a name of its own, and step_count counts all of them")
{
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < store::step_count; ++i)
        names.insert(to_string(static_cast<store::step>(i)));
    CHECK(names.size() == store::step_count);
    CHECK(!names.contains("unknown"));
    CHECK(to_string(static_cast<store::step>(store::step_count)) == "unknown");
}

} // namespace
} // namespace agentd::testing
