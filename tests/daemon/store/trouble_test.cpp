// A disk that is full, a process that is killed, a queue that is full.
#include "aio/task_group.hpp"
#include "store/work_queue.hpp"
#include "tests/daemon/store/fixture.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <mutex>

namespace agentd::testing {
namespace {

using store::connection;
using store::durability;
using store::errc;
using store::step;

base::result<> add_message(test_store& db, const std::string& content)
{
    return db.write([content](connection& c) {
        store::messages::row row;
        row.shown.role = "user";
        row.shown.content = content;
        static_cast<void>(store::messages::append(c, base::session_id{"s_aaaa"}, row));
        c.append_event(event("message.received", "s_aaaa"));
    });
}

void add_session(test_store& db)
{
    REQUIRE(
        db.write([](connection& c) {
              return store::sessions::insert(c, session_row("s_aaaa"));
          }).value_or(false));
}

// Until the store has seen that the disk is back.
void await_recovery(test_store& db)
{
    db.run([&db](aio::executor) -> aio::awaitable<> {
        while (!db->degraded().empty())
            co_await aio::sleep_for(std::chrono::milliseconds{5});
    });
}

// One event, as a work of this name.
base::result<base::event_seq> write_as(test_store& db, step name)
{
    std::optional<base::result<base::event_seq>> outcome;
    db.run([&db, &outcome, name](aio::executor) -> aio::awaitable<> {
        auto work = [](connection& c) { return c.append_event(event("daemon.x")); };
        auto value = co_await db->write(name, durability::process_death, std::move(work));
        outcome.emplace(std::move(value));
    });
    return *outcome;
}

TEST_CASE("full: writes fail as no_space, nothing of them happened, and the store recovers")
{
    const temp_folder folder;
    test_store db{folder.state()};
    add_session(db);
    REQUIRE(db.write([](connection& c) { c.execute("PRAGMA max_page_count = 200"); }));

    const auto refused = add_message(db, std::string(2U << 20, 'x'));
    const auto why = db->degraded();
    const auto still_read = db.read([](connection& c) { return store::events::newest(c); });
    REQUIRE(db.write([](connection& c) { c.execute("PRAGMA max_page_count = 100000"); }));
    const auto after = add_message(db, std::string(2U << 20, 'x'));

    REQUIRE(!refused.has_value());
    CHECK(refused.error().is(errc::no_space));
    CHECK(why.find("full") != std::string::npos);
    CHECK(still_read.value_or(99) == 0);
    CHECK(after.has_value());
    await_recovery(db);
    CHECK(db.read([](connection& c) { return store::events::newest(c); }).value_or(0) == 1);
}

TEST_CASE("full: the store notices by itself that the disk is back")
{
    const temp_folder folder;
    test_store db{folder.state()};
    add_session(db);
    REQUIRE(db.write([](connection& c) { c.execute("PRAGMA max_page_count = 200"); }));
    CHECK(!add_message(db, std::string(2U << 20, 'x')).has_value());
    CHECK(!db->degraded().empty());
    await_recovery(db); // its probe needs no new page
}

TEST_CASE("full: what ends work is still tried, all else refused until the disk is back")
{
    const temp_folder folder;
    test_store db{folder.state()};
    add_session(db);
    std::vector<std::string> told;
    std::mutex guard;
    db->on_trouble([&](std::string why) {
        const std::lock_guard lock{guard};
        told.push_back(std::move(why));
    });
    const auto reserve = folder.state() + "/agentd.db-reserve";
    CHECK(std::filesystem::file_size(reserve) > (1U << 20));
    REQUIRE(db.write([](connection& c) { c.execute("PRAGMA max_page_count = 200"); }));
    CHECK(!add_message(db, std::string(2U << 20, 'x')).has_value());
    CHECK(std::filesystem::file_size(reserve) == 0); // room for what follows

    const auto submitted = write_as(db, step::submit_task);
    const auto turn = write_as(db, step::complete_reply);
    const auto cancelled = write_as(db, step::request_cancel);
    const auto job = write_as(db, step::finish_job);
    REQUIRE(!db->degraded().empty());
    await_recovery(db);
    const auto later = write_as(db, step::submit_task);

    REQUIRE(!submitted);
    CHECK(submitted.error().is(errc::no_space));
    CHECK(submitted.error().text.starts_with("the state cannot be written: the disk is full ("));
    CHECK(!turn);
    CHECK(cancelled.value_or(0) == 1);
    CHECK(job.value_or(0) == 2);
    CHECK(later.value_or(0) == 3);
    CHECK(std::filesystem::file_size(reserve) > (1U << 20));
    const std::lock_guard lock{guard};
    REQUIRE(told.size() == 2);
    CHECK(told[0] == submitted.error().text);
    CHECK(told[1].empty());
}

TEST_CASE("damaged: nothing more is written until the next start, and it can be read on")
{
    const temp_folder folder;
    test_store db{folder.state()};
    add_session(db);
    REQUIRE(write_as(db, step::submit_task));
    const auto refused = db.write([](connection& c) {
        c.execute("PRAGMA writable_schema = ON");
        c.execute("UPDATE sqlite_schema SET rootpage = 999999 WHERE name = 'removed'");
        c.execute("PRAGMA writable_schema = RESET");
        c.prepare("SELECT count(*) FROM removed").run();
    });
    REQUIRE(!refused);
    CHECK(refused.error().is(errc::corrupt));
    for (const auto name : {step::submit_task, step::request_cancel}) {
        const auto again = write_as(db, name);
        REQUIRE(!again);
        CHECK(again.error().is(errc::corrupt));
    }
    CHECK(db.read([](connection& c) { return store::events::newest(c); }).value_or(0) == 1);
}

// Runs `body` in a child process; its exit status.
template <class Body>
int in_child(Body body)
{
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0)
        ::_exit(body());
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void limit_files(rlim_t bytes)
{
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
}

// 0: as expected; else the number of what was not.
int fill_and_recover(const std::string& folder)
{
    ::signal(SIGXFSZ, SIG_IGN);
    test_store db{folder};
    const auto made =
        db.write([](connection& c) { return store::sessions::insert(c, session_row("s_aaaa")); });
    if (!made.value_or(false))
        return 2;
    limit_files(1U << 20);
    int stored = 0;
    base::result<> last;
    while (stored < 100 && (last = add_message(db, std::string(100'000, 'x'))).has_value())
        ++stored;
    if (last.has_value() || !last.error().is(errc::no_space) || db->degraded().empty())
        return 3;
    limit_files(RLIM_INFINITY);
    if (!add_message(db, std::string(100'000, 'y')))
        return 4;
    await_recovery(db);
    const auto newest = db.read([](connection& c) { return store::events::newest(c); });
    return newest.value_or(0) == static_cast<base::event_seq>(stored) + 1 ? 0 : 5;
}

TEST_CASE("full: a write that the kernel cuts short is no_space, too")
{
    const temp_folder folder;
    CHECK(in_child([&folder] { return fill_and_recover(folder.state()); }) == 0);
    test_store db{folder.state()};
    CHECK(db.read([](connection& c) { return store::events::newest(c); }).value_or(0) > 1);
}

// Writes for ever from eight strands; each commit is told on the pipe when it is answered.
void write_until_killed(const std::string& folder, int pipe)
{
    test_store db{folder};
    db.run(
        [&db, pipe](aio::executor strand) -> aio::awaitable<> {
            const auto one = [](store::store& to, int out) -> aio::awaitable<> {
                while (true) {
                    auto work = [](connection& c) {
                        const auto seq = c.append_event(event("turn.started"));
                        return seq;
                    };
                    const auto seq = co_await to.write(
                        step::begin_turn, durability::process_death, std::move(work));
                    if (!seq || ::write(out, &*seq, sizeof *seq) != sizeof *seq)
                        co_return;
                }
            };
            aio::task_group group{strand};
            for (int i = 0; i < 8; ++i)
                group.spawn("one", one(*db, pipe));
            co_await group.join();
        },
        std::chrono::seconds{60});
}

// The numbers that a killed child had been told of.
std::vector<base::event_seq> run_and_kill(const std::string& folder, std::size_t after)
{
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::close(ends[0]);
        write_until_killed(folder, ends[1]);
        ::_exit(1);
    }
    ::close(ends[1]);
    std::vector<base::event_seq> told;
    base::event_seq seq = 0;
    bool killed = false;
    while (::read(ends[0], &seq, sizeof seq) == sizeof seq) {
        told.push_back(seq);
        if (!killed && told.size() >= after)
            killed = ::kill(child, SIGKILL) == 0;
    }
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(killed);
    return told;
}

TEST_CASE("killed: everything that was answered is there after the next start, without a gap")
{
    const temp_folder folder;
    std::vector<base::event_seq> told;
    for (std::size_t round = 0; round < 20; ++round) {
        const auto more = run_and_kill(folder.state(), 1 + (round * 37) % 200);
        told.insert(told.end(), more.begin(), more.end());
        test_store db{folder.state()};
        CHECK(!db->jump().has_value());
        const auto stored = db.read([](connection& c) {
            auto counted = c.prepare("SELECT count(*), min(seq), max(seq) FROM events");
            counted.next();
            return std::array{counted.integer(0), counted.integer(1), counted.integer(2)};
        });
        REQUIRE(stored.has_value());
        const auto [count, first, last] = *stored;
        CHECK(first == 1);
        CHECK(count == last);
        CHECK(static_cast<base::event_seq>(last) >= *std::ranges::max_element(told));
    }
    std::ranges::sort(told);
    CHECK(std::ranges::adjacent_find(told) == told.end());
}

TEST_CASE("queue: a full one refuses, a closed one gives what it has")
{
    store::work_queue<int> queue{2};
    std::vector<int> out;
    int a = 1;
    int b = 2;
    int c = 3;
    CHECK(!queue.push(a).has_value());
    CHECK(!queue.push(b).has_value());
    CHECK(queue.push(c) == store::work_queue<int>::refusal::full);
    REQUIRE(queue.take(out, 1));
    CHECK(out == std::vector{1});
    CHECK(!queue.push(c).has_value());
    queue.close();
    CHECK(queue.push(a) == store::work_queue<int>::refusal::closed);
    out.clear();
    REQUIRE(queue.take(out, 9));
    CHECK(out == std::vector{2, 3});
    out.clear();
    CHECK(!queue.take(out, 9));
}

TEST_CASE("queue: a patient taker comes back with nothing")
{
    store::work_queue<int> queue{2};
    std::vector<int> out;
    CHECK(queue.take(out, 9, std::chrono::milliseconds{1}));
    CHECK(out.empty());
}

} // namespace
} // namespace agentd::testing
