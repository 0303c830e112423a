// Whole trees: whatever a command leaves or hides, it is gone when its end is reported.
#include "base/clock.hpp"
#include "tests/daemon/jobs/rig.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

using namespace agentd;
using namespace std::chrono_literals;
using testing::rig;
using testing::with_both_means;

namespace {

struct shape {
    const char* name;
    const char* text; // @ is replaced by the marker
};

// Each prints "hi", exits with 3 and leaves something behind.
const shape shapes[] = {
    {"a child in the background", "sleep @ & echo hi; exit 3"},
    {"a child in its own session that holds the pipe", "setsid sleep @ >&1 & echo hi; exit 3"},
    {"a double fork", "(setsid sh -c 'sleep @ & sleep @' &); echo hi; exit 3"},
    {"a daemon with a cleared environment",
        "(env -i setsid sleep @ </dev/null >/dev/null 2>&1 &); echo hi; exit 3"},
    {"one that ignores TERM", "(trap '' TERM; echo hi; exec sleep @) & sleep 0.1; exit 3"},
    {"a stopped one", "sleep @ & kill -STOP $!; echo hi; exit 3"},
    {"a stopped one in a session of its own",
        "(setsid sh -c 'kill -STOP $$; sleep @' &) ; echo hi; exit 3"},
    {"a deep tree with sessions in between",
        "(setsid sh -c 'setsid sh -c \"setsid sleep @ & sleep @\" & sleep @' &); echo hi; exit 3"},
};

std::string with_marker(std::string text, const std::string& marker)
{
    for (auto at = text.find('@'); at != text.npos; at = text.find('@'))
        text.replace(at, 1, marker);
    return text;
}

aio::awaitable<> check_shape(rig& with, const shape& one, bool as_job)
{
    const std::string name = one.name;
    CAPTURE(name);
    CAPTURE(as_job);
    const auto mark = testing::marker();
    const auto text = with_marker(one.text, mark);
    const auto began = base::mono_now();
    auto running = as_job ? with.run_job(text) : with.run_foreground(text);
    const auto end = co_await std::move(running);
    CHECK(testing::processes_with(mark) == 0);
    CHECK(base::elapsed_since(began) < 5s);
    CHECK(end.how == jobs::ended::completed);
    CHECK(end.exit_code == 3);
    CHECK(end.output.head == "hi\n");
    CHECK(end.leftovers >= 1);
    CHECK(end.unstoppable == 0);
}

aio::awaitable<> stop_soon(jobs::job& one, const std::string& mark, std::size_t processes)
{
    const auto up = [&mark, processes] { return testing::processes_with(mark) >= processes; };
    co_await testing::until(up);
    one.stop(jobs::stopped_by::model);
}

// Opens the output of the process whose number is in `file`, then removes that.
aio::awaitable<> hold_pipe(std::string file, base::unique_fd* held)
{
    const auto written = [&file] { return testing::read_text(file).ends_with('\n'); };
    co_await testing::until(written);
    const auto path = "/proc/" + std::to_string(testing::number_in(file)) + "/fd/1";
    held->reset(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    ::unlink(file.c_str());
}

// Goes on when the shell is our only child again, and lets it end.
aio::awaitable<> see_reaped(std::string file)
{
    const auto there = [&file] { return ::access(file.c_str(), F_OK) == 0; };
    co_await testing::until(there);
    const auto alone = [] { return testing::own_children() == 1; };
    co_await testing::until(alone);
    ::unlink(file.c_str());
}

} // namespace

TEST_CASE("tree: the observer finds a planted orphan")
{
    const auto mark = testing::marker();
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::execlp("sleep", "sleep", mark.c_str(), nullptr);
        ::_exit(127);
    }
    ::close(ends[1]);
    char none = 0;
    CHECK(::read(ends[0], &none, 1) == 0); // closed by exec
    ::close(ends[0]);
    CHECK(testing::processes_with(mark) == 1);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    CHECK(testing::processes_with(mark) == 0);
}

TEST_CASE("tree: what a job leaves behind is stopped, whatever it does to hide")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        for (const auto& one : shapes)
            co_await check_shape(with, one, true);
    });
}

TEST_CASE("tree: a job's orphan that has overwritten its mark is known by its environment")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        const shape rare{
            "no mark", "(prlimit --locks=unlimited setsid sleep @ &); echo hi; exit 3"};
        co_await check_shape(with, rare, true);
    });
}

TEST_CASE("tree: what a foreground command leaves behind is stopped, whatever it does to hide")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        for (const auto& one : shapes)
            co_await check_shape(with, one, false);
    });
}

TEST_CASE("tree: a stop ends everything, TERM-ignorers and stopped ones included")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        const char* const texts[] = {
            "sleep @; exit 0",
            "trap '' TERM; sleep @; sleep @",
            "trap '' TERM; setsid sleep @ & (env -i setsid sleep @ &); sleep @",
            "sleep @ & kill -STOP $!; sleep @",
            "sleep @ & kill -STOP $$",
            "while :; do sleep @ & sleep 0.01; done",
        };
        for (const char* const text : texts) {
            CAPTURE(text);
            const auto mark = testing::marker();
            auto what = with.command(with_marker(text, mark));
            jobs::job one{
                with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{}};
            aio::task_group group{with.strand};
            group.spawn("stop", stop_soon(one, mark, 2));
            const auto end = co_await one.run();
            CHECK(testing::processes_with(mark) == 0);
            CHECK(end.how == jobs::ended::killed);
            CHECK(end.by == jobs::stopped_by::model);
            CHECK(end.signal.has_value());
            CHECK(end.unstoppable == 0);
            co_await group.join();
        }
    });
}

TEST_CASE("tree: a timeout ends everything and is reported as one")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        const auto mark = testing::marker();
        const auto text = with_marker("setsid sleep @ & trap '' TERM; echo hi; sleep @", mark);
        const auto job_end = co_await with.run_job(text, 100ms);
        CHECK(job_end.how == jobs::ended::timeout);
        CHECK_FALSE(job_end.by);
        CHECK(job_end.output.head == "hi\n");
        CHECK(testing::processes_with(mark) == 0);
        const auto end = co_await with.run_foreground(text, 100ms);
        CHECK(end.how == jobs::ended::timeout);
        CHECK(testing::processes_with(mark) == 0);
    });
}

TEST_CASE("tree: an orderly TERM handler runs, once, and its output is kept")
{
    const auto test = [](rig& with) -> aio::awaitable<> {
        const auto text = "trap 'echo bye; exit 7' TERM; sleep 300 & wait";
        const auto end = co_await with.run_job(text, 300ms);
        CHECK(end.how == jobs::ended::timeout);
        CHECK(end.exit_code == 7);
        CHECK(end.output.head == "bye\n");
    };
    with_both_means(test, testing::patient());
}

TEST_CASE("tree: TERM reaches those in sessions of their own, too, once each")
{
    const auto test = [](rig& with) -> aio::awaitable<> {
        const auto text =
            "setsid sh -c 'trap \"echo bye\" TERM; touch up; sleep 300 & wait; wait' &"
            "while [ ! -e up ]; do sleep 0.01; done; rm up; echo hi; exit 3";
        const auto end = co_await with.run_job(text);
        CHECK(end.output.head == "hi\nbye\n");
        CHECK(end.leftovers >= 1); // its sleep may not have been born
    };
    with_both_means(test, testing::patient());
}

TEST_CASE("tree: with leftovers kept the job goes on until its tree is empty")
{
    auto options = testing::quick();
    options.left_behind = jobs::leftovers::keep;
    const auto test = [](rig& with) -> aio::awaitable<> {
        const auto end = co_await with.run_job("(setsid sh -c 'sleep 0.3; echo late' &); echo hi");
        CHECK(end.how == jobs::ended::completed);
        CHECK(end.exit_code == 0);
        CHECK(end.output.head == "hi\nlate\n");
        CHECK(end.leftovers == 0);
        CHECK(end.wall >= 300ms);
    };
    with_both_means(test, options);
}

TEST_CASE("tree: somebody outside who holds the pipe delays the end by the drain alone")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        // The pipe is opened anew by this process, which is in no tree.
        const auto go = with.folder + "/pid";
        auto what = with.command("echo hi; echo $$ > pid; while [ -e pid ]; do sleep 0.01; done");
        jobs::job one{with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{}};
        aio::task_group group{with.strand};
        base::unique_fd held;
        group.spawn("holder", hold_pipe(go, &held));
        const auto end = co_await one.run();
        CHECK(held);
        CHECK(end.how == jobs::ended::completed);
        CHECK(end.output.head == "hi\n");
        CHECK(end.wall < 5s);
        co_await group.join();
    });
}

TEST_CASE("tree: orphans that end by themselves are reaped while the job runs")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        const auto done = with.folder + "/done";
        auto what = with.command("for i in 1 2 3 4 5 6 7 8; do (setsid sh -c 'exit 0' &); done;"
                                 "touch done; while [ -e done ]; do sleep 0.01; done");
        jobs::job one{with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{}};
        aio::task_group group{with.strand};
        group.spawn("watch", see_reaped(done));
        const auto end = co_await one.run();
        CHECK(end.exit_code == 0);
        CHECK(end.leftovers == 0);
        co_await group.join();
    });
}
