// What the commands of one session may use together: CPU time by an account, memory and processes
// by a control group above their leaves. Where the controllers are not ours, the last two are
// skipped with what is missing; that the group comes and goes is seen everywhere.
#include "aio/task_group.hpp"
#include "base/bound_limits.hpp"
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
    const auto account = with.shared.accounts.open(session, {}); // as a live session holds it
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
    using short_of = jobs::session_account::short_of;
    jobs::session_accounts none{{}};
    CHECK_FALSE(none.wants(one));
    CHECK(none.open(one, {}) == nullptr);
    CHECK(none.of(one) == nullptr);
    jobs::session_accounts all{{.cpu = 10s, .wall = 20s, .output_bytes = 100}};
    CHECK(all.wants(one));
    CHECK_FALSE(all.wants(base::session_id{}));
    CHECK(all.of(one) == nullptr); // and none that begins at zero
    const auto account = all.open(one, {.cpu = 4s, .wall = 19s, .output_bytes = 60});
    CHECK_FALSE(all.wants(one));
    CHECK(all.open(one, {}) == account); // only the first time counts
    CHECK(all.of(one) == account);
    account->add({.cpu = 5s, .output_bytes = 39});
    CHECK(account->cpu_left() == 1s);
    CHECK(account->wall_left() == 1s);
    CHECK(account->output_left() == 1);
    CHECK(account->over() == short_of::nothing);
    CHECK(account->text(short_of::nothing).empty());
    account->add({.output_bytes = 5});
    CHECK(account->output_left() == 0);
    CHECK(account->over() == short_of::output);
    CHECK(account->over_time() == short_of::nothing);
    account->add({.wall = 1s});
    CHECK(account->over_time() == short_of::wall);
    account->add({.cpu = 1s});
    CHECK(account->over_time() == short_of::cpu);
    CHECK(account->text(short_of::cpu) == "the session has used up its 10 s of CPU time");
}

TEST_CASE("session bounds: an account that somebody holds is not forgotten for others")
{
    jobs::session_accounts all{{.cpu = 10s}};
    const auto held = all.open(one, {.cpu = 9s});
    static_cast<void>(all.open(other, {.cpu = 9s}));
    for (std::size_t i = 0; i < limits::session_accounts; ++i)
        static_cast<void>(all.open(base::session_id{"s_" + std::to_string(i)}, {}));
    CHECK(all.of(one) == held);
    CHECK(all.wants(other)); // to be read from the store again
}

TEST_CASE("session bounds: a command whose session's account is not open does not run")
{
    auto options = testing::quick();
    options.session_wall = 100s;
    const auto test = [](rig& with) -> aio::awaitable<> {
        const auto end = co_await with.run_foreground("touch ran");
        CHECK(end.how == jobs::ended::error);
        CHECK(end.reason == "what its session has used is not known");
        CHECK_FALSE(is_there(with.folder + "/ran"));
    };
    testing::with_rig(test, options);
}

TEST_CASE("session bounds: the times of all commands are one sum, and its end is theirs")
{
    auto options = testing::quick();
    options.session_wall = 1s;
    const auto test = [](rig& with) -> aio::awaitable<> {
        const std::string text{"the commands of the session have run for their 1 s together"};
        jobs::outcome first;
        jobs::outcome second;
        aio::task_group running{with.strand};
        running.spawn("first", run_into(with, one, "exec sleep 300", first));
        running.spawn("second", run_into(with, one, "exec sleep 300", second));
        co_await running.join();
        for (const auto* end : {&first, &second}) {
            CHECK(end->how == jobs::ended::timeout);
            CHECK(end->reason == text);
            CHECK(end->wall >= 400ms);
        }
        CHECK(first.wall + second.wall >= 1s);
        const auto late = co_await run_in(with, one, "touch late");
        CHECK(late.how == jobs::ended::error);
        CHECK(late.reason == text);
        CHECK_FALSE(is_there(with.folder + "/late"));
        const auto elsewhere = co_await run_in(with, other, "exit 3");
        CHECK(elsewhere.exit_code == 3);
    };
    testing::with_rig(test, options);
}

TEST_CASE("session bounds: the output of all commands is one sum, whoever writes beyond it is cut")
{
    auto options = testing::patient();
    options.session_most.output_bytes = 1'000'000;
    const auto test = [](rig& with) -> aio::awaitable<> {
        const std::string text{
            "the commands of the session have written their 1000000 bytes of output together"};
        const auto account = with.shared.accounts.open(one, {});
        const auto before = co_await run_in(with, one, "head -c 600000 /dev/zero");
        CHECK(before.how == jobs::ended::completed);
        CHECK(before.output_bytes == 600'000);
        make_gate(with);
        jobs::outcome silent;
        aio::task_group running{with.strand};
        running.spawn("silent", run_into(with, one, "touch up; read line < gate; exit 3", silent));
        co_await until_made(with, "up");
        const auto flood = co_await run_in(with, one, "trap '' TERM; yes; exit 0");
        CHECK(flood.how == jobs::ended::killed);
        CHECK(flood.by == jobs::stopped_by::disk);
        CHECK(flood.reason == text);
        CHECK(flood.output_bytes == 400'000);
        co_await run_in(with, other, "echo go > gate");
        co_await running.join();
        CHECK(silent.exit_code == 3); // who writes nothing goes on
        const auto late = co_await run_in(with, one, "touch late");
        CHECK(late.how == jobs::ended::error);
        CHECK(late.reason == text);
    };
    testing::with_rig(test, options);
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
        const auto account = with.shared.accounts.open(one, {});
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
        CHECK(with.shared.accounts.of(one)->cpu_left() <= 99s);
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
