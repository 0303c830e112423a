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

constexpr auto limit = 200ms;

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
    co_await aio::sleep_for(limit * 4); // it is not told again while nothing happens
    CHECK(job.stalls.size() == 1);
    const auto done = co_await job.write(std::move(answer), true);
    CHECK(done.why == jobs::input_stop::none);
    CHECK_FALSE(job.one.look().stalls);
    co_await job.running.join();
    CHECK(job.end.exit_code == 0);
}

// All of these run silently for ten limits, and none is told of.
aio::awaitable<> check_never_told(
    rig& with, std::vector<std::pair<std::string, jobs::input>> commands)
{
    std::list<fed_job> jobs;
    for (const auto& [text, kind] : commands)
        jobs.emplace_back(with, text, kind);
    co_await aio::sleep_for(limit * 10);
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
        all.emplace_back("while :; do :; done", jobs::input::pipe);
        all.emplace_back("exec sleep 300", jobs::input::pipe);
        all.emplace_back("sleep 300", jobs::input::terminal);
        all.emplace_back("x=$(sleep 300 | cat)", jobs::input::pipe);
        // Somebody reads, but somebody else works.
        all.emplace_back("(while :; do :; done) & read x", jobs::input::pipe);
        co_await check_never_told(with, std::move(all));
    });
}

TEST_CASE("stall: a server that polls its sockets and not its stdin is not told of")
{
    if (!has_python()) {
        std::puts("SKIP: no python3");
        return;
    }
    with_watching([](rig& with) -> aio::awaitable<> {
        std::vector<std::pair<std::string, jobs::input>> all;
        all.emplace_back(
            "exec python3 -c 'import select as s, socket; l = socket.socket(); "
            "l.bind((\"127.0.0.1\", 0)); l.listen(); p = s.epoll(); p.register(l, s.EPOLLIN); "
            "p.poll()'",
            jobs::input::pipe);
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
            co_await aio::sleep_for(limit * 2);
            CHECK(job.stalls.empty());
            job.one.stop(jobs::stopped_by::user);
            co_await job.running.join();
        },
        with);
}
