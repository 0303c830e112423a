// What the commands of one session may use together: CPU time by an account, memory and processes
// by a control group above their leaves. Where the controllers are not ours, the last two are
// skipped with what is missing; that the group comes and goes is seen everywhere.
#include "aio/task_group.hpp"
#include "tests/daemon/jobs/rig.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

using namespace agentd;
using namespace std::chrono_literals;
using testing::burn;
using testing::rig;
using testing::with_both_means;

namespace {

constexpr const char* used_up = "the session has used up its 1 s of CPU time";
constexpr const char* own_group = "sed -n s/^0:://p /proc/self/cgroup";
const base::session_id one{"s_one"};
const base::session_id other{"s_other"};

aio::awaitable<jobs::outcome> run_in(rig& with, base::session_id session, std::string text)
{
    auto what = with.command(std::move(text), 50s);
    what.session = std::move(session);
    jobs::job run{with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{}};
    co_return co_await run.run();
}

aio::awaitable<> run_into(rig& with, base::session_id session, std::string text, jobs::outcome& to)
{
    auto end = co_await run_in(with, std::move(session), std::move(text));
    to = std::move(end);
}

// Goes on when a command has made the file.
aio::awaitable<> until_made(rig& with, const char* name)
{
    const auto file = with.folder + "/" + name;
    const auto is_made = [&file] { return ::access(file.c_str(), F_OK) == 0; };
    co_await testing::until(is_made);
}

// Who reads from `gate` waits, at no cost, until somebody writes to it.
void make_gate(const rig& with)
{
    REQUIRE(::mkfifo((with.folder + "/gate").c_str(), 0600) == 0);
}

bool can_bound(const rig& with, const std::string& controller)
{
    if (with.shared.leaves.means().means == "cgroup" && with.shared.has_controller(controller))
        return true;
    std::puts(("SKIP: no control groups with the controller " + controller).c_str());
    return false;
}

std::string group_of(const rig& with, const base::session_id& session)
{
    return with.shared.leaves.means().path + "/session-" + session.str();
}

bool is_there(const std::string& path)
{
    return ::access(path.c_str(), F_OK) == 0;
}

} // namespace

TEST_CASE("session bounds: an account begins with what was used before and is one for all")
{
    jobs::session_accounts none{0s};
    CHECK_FALSE(none.wants(one));
    CHECK(none.of(one) == nullptr);
    jobs::session_accounts all{10s};
    CHECK(all.wants(one));
    CHECK_FALSE(all.wants(base::session_id{}));
    all.open(one, 4s);
    CHECK_FALSE(all.wants(one));
    all.open(one, 0s); // only the first time counts
    all.of(one)->add(5s);
    CHECK(all.of(one)->left() == 1s);
    CHECK_FALSE(all.of(one)->used_up());
    all.of(one)->add(1s);
    CHECK(all.of(one)->used_up());
    CHECK(all.of(one)->text() == "the session has used up its 10 s of CPU time");
    CHECK(all.of(other)->left() == 10s);
}

TEST_CASE("session bounds: used up CPU time stops all of the session and nobody else")
{
    auto options = testing::quick();
    options.session_most.cpu = 1s;
    const auto test = [](rig& with) -> aio::awaitable<> {
        make_gate(with);
        jobs::outcome burnt;
        jobs::outcome beside;
        jobs::outcome elsewhere;
        aio::task_group running{with.strand};
        running.spawn("burns", run_into(with, one, burn, burnt));
        running.spawn("sleeps", run_into(with, one, "exec sleep 300", beside));
        running.spawn("waits", run_into(with, other, "read line <gate; exit 3", elsewhere));
        const auto both_ended = [&burnt, &beside] {
            return !burnt.reason.empty() && !beside.reason.empty();
        };
        co_await testing::until(both_ended);
        const auto go = co_await run_in(with, other, "echo go >gate");
        co_await running.join();
        CHECK(go.how == jobs::ended::completed);
        CHECK(burnt.how == jobs::ended::timeout);
        CHECK(burnt.reason == used_up);
        CHECK(burnt.cpu + beside.cpu >= 1s);
        CHECK(beside.how == jobs::ended::timeout);
        CHECK(beside.reason == used_up);
        CHECK(elsewhere.how == jobs::ended::completed);
        CHECK(elsewhere.exit_code == 3);
        // And no more is started.
        const auto late = co_await run_in(with, one, "touch late");
        CHECK(late.how == jobs::ended::error);
        CHECK(late.reason == used_up);
        CHECK_FALSE(is_there(with.folder + "/late"));
    };
    with_both_means(test, options);
}

TEST_CASE("session bounds: foreground commands use the same account")
{
    auto options = testing::quick();
    options.session_most.cpu = 1s;
    const auto test = [](rig& with) -> aio::awaitable<> {
        jobs::foreground commands{with.strand, with.shared, one};
        auto first = with.command(burn, 20s);
        const auto end = co_await commands.run(std::move(first));
        CHECK(end.how == jobs::ended::timeout);
        CHECK(end.reason == used_up);
        auto second = with.command("true");
        const auto late = co_await commands.run(std::move(second));
        CHECK(late.how == jobs::ended::error);
        CHECK(late.reason == used_up);
        const auto job = co_await run_in(with, one, "true");
        CHECK(job.how == jobs::ended::error);
    };
    testing::with_rig(test, options);
}

TEST_CASE("session bounds: a command's own bound is named when that is met first")
{
    auto options = testing::quick();
    options.session_most.cpu = 100s;
    options.most.cpu = 1s;
    const auto test = [](rig& with) -> aio::awaitable<> {
        const auto end = co_await run_in(with, one, burn);
        CHECK(end.how == jobs::ended::timeout);
        CHECK(end.reason == "used up its 1 s of CPU time");
        CHECK(with.shared.accounts.of(one)->left() <= 99s);
    };
    testing::with_rig(test, options);
}

TEST_CASE("session bounds: a session's group is made with its first leaf and goes with its last")
{
    auto options = testing::quick();
    options.session_most.processes = 100;
    const auto test = [](rig& with) -> aio::awaitable<> {
        if (with.shared.leaves.means().means != "cgroup")
            co_return;
        const auto group = group_of(with, one);
        const auto is_gone = [&group] { return !is_there(group); };
        CHECK(is_gone());
        jobs::outcome longer;
        aio::task_group running{with.strand};
        running.spawn("longer",
            run_into(with, one,
                std::string{"touch up; while [ ! -e go ]; do sleep 0.01; done; "} + own_group,
                longer));
        co_await until_made(with, "up");
        const auto mark = testing::marker();
        const auto brief = co_await run_in(with, one, "setsid sleep " + mark + " & exit 3");
        CHECK(brief.exit_code == 3);
        CHECK(brief.leftovers == 1);
        CHECK(testing::processes_with(mark) == 0);
        CHECK(is_there(group)); // the other one is still in it
        co_await run_in(with, other, "touch go");
        co_await running.join();
        CHECK(longer.output.head.find("/session-s_one/job-") != std::string::npos);
        co_await testing::until(is_gone);
        for (int i = 0; i < 50; ++i) { // it comes and goes under those that are started
            const auto end = co_await run_in(with, one, own_group);
            CHECK(end.output.head.find("/session-s_one/job-") != std::string::npos);
        }
        co_await testing::until(is_gone);
    };
    with_both_means(test, options);
}

TEST_CASE("session bounds: processes of all commands together stay within their number")
{
    auto options = testing::quick();
    options.session_most.processes = 20;
    const auto test = [](rig& with) -> aio::awaitable<> {
        if (!can_bound(with, "pids"))
            co_return;
        const auto group = group_of(with, one);
        const auto mark = testing::marker();
        const auto many =
            "i=0; while [ $i -lt 15 ]; do sleep " + mark + " & i=$((i+1)); done; touch up; wait";
        jobs::outcome first;
        aio::task_group running{with.strand};
        running.spawn("first", run_into(with, one, many, first));
        co_await until_made(with, "up");
        CHECK(testing::number_in(group + "/pids.max") == 20);
        CHECK(testing::number_in(group + "/pids.current") >= 16);
        const auto end = co_await run_in(with, one, many); // its forks fail at some point
        CHECK(end.how == jobs::ended::completed);
        CHECK(end.exit_code != 0);
        const auto elsewhere =
            co_await run_in(with, other, "for i in 1 2 3 4 5 6; do true & done; wait");
        CHECK(elsewhere.exit_code == 0);
        running.cancel();
        co_await running.join();
    };
    with_both_means(test, options);
}

TEST_CASE("session bounds: want of memory in a session kills one command as a whole and says so")
{
    auto options = testing::quick();
    options.session_most.memory_bytes = 50'000'000;
    const auto test = [](rig& with) -> aio::awaitable<> {
        if (!can_bound(with, "memory"))
            co_return;
        const auto mark = testing::marker();
        make_gate(with);
        jobs::outcome small;
        aio::task_group running{with.strand};
        running.spawn("small", run_into(with, one, "touch up; read line <gate", small));
        co_await until_made(with, "up");
        const auto end = co_await run_in(with, one,
            "setsid sleep " + mark + " & head -c 200000000 /dev/zero | tail -c 200000000 | wc -c");
        CHECK(end.oom);
        CHECK(end.how == jobs::ended::killed);
        CHECK(end.by == jobs::stopped_by::memory);
        CHECK(end.reason == "the session needed more than its 50000000 bytes of memory");
        CHECK(testing::processes_with(mark) == 0);
        co_await run_in(with, other, "echo go >gate");
        co_await running.join();
        CHECK_FALSE(small.oom);
        CHECK(small.how == jobs::ended::completed);
        CHECK(small.exit_code == 0);
    };
    with_both_means(test, options);
}
