// What a command may use, and what it has used: bounds that are kept, a bill that is true.
// Memory and processes are bounded by controllers; where these are not ours, those cases are
// skipped with the controller that is missing (they run in the full VM).
#include "jobs/job_state.hpp"
#include "tests/daemon/jobs/rig.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

using namespace agentd;
using namespace std::chrono_literals;
using testing::burn;
using testing::rig;
using testing::with_both_means;
using testing::with_rig;

namespace {

const jobs::bounds one_second{.cpu = 1s};
const jobs::bounds fifty_megabytes{.memory_bytes = 50'000'000};

bool has_controller(const rig& with, const std::string& name)
{
    const auto& there = with.shared.leaves.means().controllers;
    if (std::ranges::find(there, name) != there.end())
        return true;
    std::puts(("SKIP: no control groups with the controller " + name).c_str());
    return false;
}

aio::awaitable<jobs::outcome> run_bounded(rig& with, std::string text, jobs::bounds most)
{
    auto what = with.command(std::move(text));
    what.most = most;
    jobs::job one{with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{}};
    co_return co_await one.run();
}

} // namespace

TEST_CASE("bounds: of two the tighter one counts, and none is no bound")
{
    const jobs::bounds a{.cpu = 5s, .processes = 7, .output_bytes = 5};
    const jobs::bounds b{.cpu = 3s, .memory_bytes = 100, .output_bytes = 6, .file_bytes = 1};
    const auto both = jobs::tightest(a, b);
    CHECK(both.cpu == 3s);
    CHECK(both.memory_bytes == 100);
    CHECK(both.processes == 7);
    CHECK(both.output_bytes == 5);
    CHECK(both.file_bytes == 1);
    CHECK(jobs::tightest({}, {}).cpu == 0s);
}

TEST_CASE("bounds: used up CPU time is a timeout that says so, a later deadline changes nothing")
{
    using step = jobs::job_state::step;
    const jobs::job_state::time_point start{};
    jobs::job_state state{{.timeout = 10s, .grace = 1s}, start};
    CHECK(state.next(start + 1s) == step::wait);
    state.bound_met();
    CHECK(state.next(start + 2s) == step::look);
    state.saw(0);
    CHECK(state.next(start + 2s) == step::terminate);
    CHECK(state.how() == jobs::ended::timeout);
    CHECK(state.over_bound());

    jobs::job_state late{{.timeout = 10s, .grace = 1s}, start};
    CHECK(late.next(start + 10s) == step::look);
    late.saw(0);
    CHECK(late.next(start + 10s) == step::terminate);
    late.bound_met(); // during the grace
    CHECK(late.how() == jobs::ended::timeout);
    CHECK_FALSE(late.over_bound());

    jobs::job_state stopped{{.timeout = 10s, .grace = 1s}, start};
    stopped.stop(jobs::stopped_by::user);
    stopped.bound_met();
    CHECK(stopped.next(start + 1s) == step::look);
    stopped.saw(0);
    CHECK(stopped.next(start + 1s) == step::terminate);
    CHECK(stopped.how() == jobs::ended::killed);
    CHECK_FALSE(stopped.over_bound());
}

TEST_CASE("bounds: a shell that burns its CPU time is stopped, by each of the means")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        const auto end = co_await run_bounded(with, burn, one_second);
        CHECK(end.how == jobs::ended::timeout);
        CHECK(end.reason == "used up its 1 s of CPU time");
        CHECK(end.cpu >= 1s);
        CHECK(end.cpu < 10s); // it is looked at late where the machine is slow
        const auto idle = co_await run_bounded(with, "sleep 0.1; exit 3", one_second);
        CHECK(idle.how == jobs::ended::completed);
        CHECK(idle.exit_code == 3);
    });
}

TEST_CASE("bounds: the CPU time of the whole tree counts, together, whoever has ended or left")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        // Three that use a third each, the shell next to nothing.
        const auto text = std::string{"for i in 1 2 3; do ("} + burn + ") & done; wait";
        const auto end = co_await run_bounded(with, text, one_second);
        CHECK(end.how == jobs::ended::timeout);
        CHECK(end.reason == "used up its 1 s of CPU time");
        CHECK(end.cpu >= 1s);
        CHECK(end.cpu < 5s);
        // One after the other, each with less than the bound, in sessions of their own.
        const auto one_by_one = co_await run_bounded(with,
            "while :; do setsid sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'; done",
            one_second);
        CHECK(one_by_one.how == jobs::ended::timeout);
        CHECK(one_by_one.reason == "used up its 1 s of CPU time");
        CHECK(one_by_one.cpu >= 1s);
    });
}

TEST_CASE("bounds: with leaves the bill holds who was never waited for")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        if (with.shared.leaves.means().means != "cgroup")
            co_return;
        // It burns, reparented and unknown to the shell, and is still there at the end.
        const auto end = co_await with.run_job(
            "(setsid sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; touch burnt; exec "
            "sleep 300' &); while [ ! -e burnt ]; do sleep 0.01; done");
        CHECK(end.leftovers == 1);
        CHECK(end.cpu > 50ms);
    });
}

TEST_CASE("bounds: the defaults of all commands hold for foreground commands, too")
{
    auto options = testing::quick();
    options.most.cpu = 1s;
    const auto test = [](rig& with) -> aio::awaitable<> {
        const auto end = co_await with.run_foreground(burn);
        CHECK(end.how == jobs::ended::timeout);
        CHECK(end.reason == "used up its 1 s of CPU time");
    };
    with_both_means(test, options);
}

TEST_CASE("bounds: a job beyond its memory is killed by memory, as a whole")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        if (with.shared.leaves.means().means != "cgroup" || !has_controller(with, "memory"))
            co_return;
        const auto mark = testing::marker();
        const auto end = co_await run_bounded(with,
            "setsid sleep " + mark + " & head -c 200000000 /dev/zero | tail -c 200000000 | wc -c",
            fifty_megabytes);
        CHECK(end.oom);
        CHECK(end.how == jobs::ended::killed);
        CHECK(end.by == jobs::stopped_by::memory);
        CHECK(end.reason == "needed more than its 50000000 bytes of memory");
        CHECK(end.peak_bytes.value_or(0) <= 50'000'000);
        CHECK(end.peak_bytes.value_or(0) > 30'000'000);
        CHECK(testing::processes_with(mark) == 0);
    });
}

TEST_CASE("bounds: a fork bomb stays within its number of processes and is ended")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        // Without the controller it would be a real one: root is not held by RLIMIT_NPROC.
        if (with.shared.leaves.means().means != "cgroup" || !has_controller(with, "pids"))
            co_return;
        auto what = with.command("b() { b | b & }; b; sleep 300", 1s);
        what.most.processes = 30;
        jobs::job one{with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{}};
        const auto end = co_await one.run();
        CHECK(end.how != jobs::ended::error);
        CHECK(end.unstoppable == 0);
    });
}
