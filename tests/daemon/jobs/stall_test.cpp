// Jobs that wait for input are told from jobs that are only silent, by what /proc says of real
// programs: sh, python3, cat. Both with control groups and without.
#include "tests/daemon/jobs/fed_job.hpp"

#include <unistd.h>

#include <cstdio>
#include <list>
#include <utility>
#include <vector>

using namespace agentd;
using namespace std::chrono_literals;
using testing::fed_job;
using testing::read_text;
using testing::rig;
using testing::until;

namespace {

constexpr auto limit = 100ms;

jobs::options watchful()
{
    auto with = testing::quick();
    with.stall = limit;
    return with;
}

// Runs `test` with each of the means of supervision.
void with_watching(const testing::rig_test& test)
{
    ::signal(SIGPIPE, SIG_IGN);
    testing::with_both_means(test, watchful());
    ::signal(SIGPIPE, SIG_DFL);
}

bool has_python()
{
    return ::access("/usr/bin/python3", X_OK) == 0;
}

// The job is told of exactly once, then gets `answer` and exits with 0.
aio::awaitable<> check_told(
    rig& with, std::string text, jobs::input kind, std::string answer, std::string_view shown)
{
    fed_job job{with, std::move(text), kind};
    const auto asks = [&job] { return !job.stalls.empty(); };
    co_await until(asks);
    CHECK(job.one.look().stalls);
    CHECK(job.stalls.front().silent >= limit);
    CHECK(job.stalls.front().last_output == shown);
    const auto done = co_await job.write(std::move(answer), true);
    CHECK(done.why == jobs::input_stop::none);
    CHECK_FALSE(job.one.look().stalls);
    co_await job.running.join();
    CHECK(job.end.exit_code == 0);
    CHECK(job.stalls.size() == 1);
}

// All of these say "up", then run silently. None is told of, however often it is looked at; two
// looks that find the same would do.
aio::awaitable<> check_never_told(
    rig& with, std::vector<std::pair<std::string, jobs::input>> commands)
{
    std::list<fed_job> jobs;
    for (const auto& [text, kind] : commands)
        jobs.emplace_back(with, text, kind);
    std::vector<std::uint64_t> before;
    for (auto& one : jobs) {
        const auto is_up = [&one] { return one.one.look().output_bytes != 0; };
        co_await until(is_up);
        before.push_back(one.one.stdin_of()->looks());
    }
    for (std::size_t i = 0; auto& one : jobs) {
        const auto enough = before[i++] + 3;
        const auto is_looked_at = [&one, enough] { return one.one.stdin_of()->looks() >= enough; };
        co_await until(is_looked_at);
    }
    for (auto& one : jobs) {
        CHECK(one.one.look().running);
        CHECK(one.stalls.empty());
        one.one.stop(jobs::stopped_by::user);
        co_await one.running.join();
    }
}

} // namespace

TEST_CASE("stall: a program that reads its stdin in silence is told of once")
{
    with_watching([](rig& with) -> aio::awaitable<> {
        co_await check_told(
            with, "printf 'name? '; read x; test $x = ok", jobs::input::pipe, "ok\n", "name? ");
        co_await check_told(with, "cat > copy", jobs::input::pipe, "x", "");
        co_await check_told(
            with, "(exec sh -c 'exec cat > copy'); true", jobs::input::pipe, "x", "");
        co_await check_told(with, "x=$(cat | cat); test $x = ok", jobs::input::pipe, "ok", "");
        if (has_python())
            co_await check_told(with, "python3 -c 'input()'", jobs::input::pipe, "ok\n", "");
    });
}

TEST_CASE("stall: a program that polls its stdin waits for it, too")
{
    if (!has_python()) {
        std::puts("SKIP: no python3");
        return;
    }
    with_watching([](rig& with) -> aio::awaitable<> {
        co_await check_told(with, "python3 -c 'import select; select.select([0], [], [])'",
            jobs::input::pipe, "x", "");
        co_await check_told(with,
            "python3 -c 'import select as s; p = s.poll(); p.register(0, s.POLLIN); p.poll()'",
            jobs::input::pipe, "x", "");
        co_await check_told(with,
            "python3 -c 'import select as s; p = s.epoll(); p.register(0, s.EPOLLIN); p.poll()'",
            jobs::input::pipe, "x", "");
    });
}

TEST_CASE("stall: a program that asks on its terminal is told of, also by /dev/tty")
{
    with_watching([](rig& with) -> aio::awaitable<> {
        co_await check_told(
            with, "printf 'name? '; read x; test $x = ok", jobs::input::terminal, "ok\n", "name? ");
        co_await check_told(with,
            "exec < /dev/null; stty -echo < /dev/tty; printf 'Password: ' > /dev/tty; "
            "read x < /dev/tty; test $x = ok",
            jobs::input::terminal, "ok\n", "Password: ");
    });
}

TEST_CASE("stall: after an answer the next question is a stall of its own")
{
    with_watching([](rig& with) -> aio::awaitable<> {
        fed_job job{with, "read x; read y; echo $x$y"};
        const auto asks = [&job] { return job.stalls.size() == 1; };
        co_await until(asks);
        co_await job.write("a\n");
        const auto asks_again = [&job] { return job.stalls.size() == 2; };
        co_await until(asks_again);
        co_await job.write("b\n");
        co_await job.running.join();
        CHECK(job.end.output.head == "ab\n");
        CHECK(job.stalls.size() == 2);
    });
}

TEST_CASE("stall: what is silent but computes, sleeps or waits for something else is not told of")
{
    with_watching([](rig& with) -> aio::awaitable<> {
        std::vector<std::pair<std::string, jobs::input>> all;
        all.emplace_back("echo up; while :; do :; done", jobs::input::pipe);
        all.emplace_back("echo up; exec sleep 300", jobs::input::pipe);
        all.emplace_back("echo up; sleep 300", jobs::input::terminal);
        all.emplace_back("echo up; x=$(sleep 300 | cat)", jobs::input::pipe);
        // Somebody reads, but somebody else works, or will.
        all.emplace_back("(while :; do :; done) & echo up; read x", jobs::input::pipe);
        all.emplace_back("(sleep 300; echo ready) & echo up; cat", jobs::input::pipe);
        co_await check_never_told(with, std::move(all));
    });
}

TEST_CASE("stall: who waits for a socket is not told of, whether it reads its stdin or not")
{
    if (!has_python()) {
        std::puts("SKIP: no python3");
        return;
    }
    with_watching([](rig& with) -> aio::awaitable<> {
        std::vector<std::pair<std::string, jobs::input>> all;
        const auto python = [&all](const std::string& text) {
            all.emplace_back("exec python3 -c 'import select as s, socket, sys, threading\n"
                             "a, b = socket.socketpair()\nprint(\"up\", flush=True)\n" +
                    text + "'",
                jobs::input::pipe);
        };
        python("p = s.epoll(); p.register(a, s.EPOLLIN); p.poll()");
        // As ssh, docker and servers with keys do.
        python("p = s.epoll(); p.register(a, s.EPOLLIN); p.register(0, s.EPOLLIN); p.poll()");
        python("p = s.poll(); p.register(a, s.POLLIN); p.register(0, s.POLLIN); p.poll()");
        python("s.select([0, a], [], [])");
        python("threading.Thread(target=a.recv, args=(1,)).start()\nsys.stdin.read()");
        co_await check_never_told(with, std::move(all));
    });
}

TEST_CASE("stall: with a limit of 0 nothing is looked for")
{
    auto with = testing::quick();
    with.stall = 0ms;
    testing::with_feeding(
        [](rig& all) -> aio::awaitable<> {
            fed_job job{all, "read x"};
            for (int i = 0; i < 20; ++i) // a limit that is over at once would be met meanwhile
                co_await all.run_foreground("true");
            CHECK(job.one.look().running);
            CHECK(job.one.stdin_of()->looks() == 0);
            CHECK(job.stalls.empty());
            job.one.stop(jobs::stopped_by::user);
            co_await job.running.join();
        },
        with);
}
