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
    CHECK(db->degraded().empty());
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
    db.run([&db](aio::executor) -> aio::awaitable<> {
        while (!db->degraded().empty()) // its probe needs no new page
            co_await aio::sleep_for(std::chrono::milliseconds{20});
    });
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
    if (!add_message(db, std::string(100'000, 'y')) || !db->degraded().empty())
        return 4;
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
