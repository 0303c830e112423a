// Jobs and foreground commands as their owners see them: how they ended and what they printed.
#include "base/clock.hpp"
#include "tests/daemon/jobs/rig.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <list>
#include <set>

using namespace agentd;
using namespace std::chrono_literals;
using testing::rig;
using testing::run_into;
using testing::with_rig;

namespace {

aio::awaitable<> run_command(jobs::foreground& commands, jobs::command what, bool* threw)
{
    try {
        co_await commands.run(std::move(what));
    } catch (const boost::system::system_error& e) {
        *threw = e.code() == boost::asio::error::operation_aborted;
    }
}

aio::awaitable<> run_aborted(jobs::job& one, bool* threw)
{
    try {
        co_await one.run();
    } catch (const boost::system::system_error& e) {
        *threw = e.code() == boost::asio::error::operation_aborted;
    }
}

// Has the one thread that launches until it is destroyed.
class busy_launcher {
public:
    explicit busy_launcher(rig& with) : holding_(with.strand)
    {
        holding_.start("launcher", hold(with, over_));
    }
    aio::awaitable<> end()
    {
        over_ = true;
        over_.notify_all();
        return holding_.join();
    }

private:
    static aio::awaitable<> hold(rig& with, std::atomic<bool>& over)
    {
        auto wait = [&over] {
            over.wait(false);
            return true;
        };
        co_await with.shared.launching.run(std::move(wait));
    }

    std::atomic<bool> over_ = false;
    aio::task holding_;
};

} // namespace

TEST_CASE("job: what is stopped or cancelled before its launch never runs")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        busy_launcher others{with};
        auto what = with.command("touch ran");
        jobs::job one{with.strand, with.shared, base::job_id{"00000001"}, std::move(what), {}};
        jobs::outcome end;
        aio::task running{with.strand};
        running.start("job", run_into(one, &end));
        const auto begun = [&one] { return one.look().running; };
        co_await testing::until(begun);
        one.stop(jobs::stopped_by::model);

        jobs::foreground commands{with.strand, with.shared, base::session_id{"s_test"}};
        bool threw = false;
        aio::task command{with.strand};
        auto second = with.command("touch ran");
        command.start("command", run_command(commands, std::move(second), &threw));
        command.cancel();
        co_await others.end();
        co_await running.join();
        co_await command.join();
        CHECK(end.how == jobs::ended::killed);
        CHECK(end.by == jobs::stopped_by::model);
        CHECK(end.output_bytes == 0);
        CHECK_FALSE(end.signal);
        CHECK(threw);
        CHECK(::access((with.folder + "/ran").c_str(), F_OK) != 0);
    });
}

TEST_CASE("job: the exit code and the signal are what the kernel says")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        const auto good = co_await with.run_job("echo hi; echo ho >&2");
        CHECK(good.how == jobs::ended::completed);
        CHECK(good.exit_code == 0);
        CHECK_FALSE(good.signal);
        CHECK(good.output.head == "hi\nho\n");
        CHECK(good.output_bytes == 6);
        CHECK_FALSE(good.gap);
        CHECK(good.leftovers == 0);
        const auto bad = co_await with.run_job("exit 15");
        CHECK(bad.how == jobs::ended::completed);
        CHECK(bad.exit_code == 15);
        const auto signalled = co_await with.run_job("kill -SEGV $$");
        CHECK(signalled.how == jobs::ended::completed);
        CHECK(signalled.signal == SIGSEGV);
        CHECK_FALSE(signalled.exit_code);
        const auto missing = co_await with.run_job("no-such-program");
        CHECK(missing.exit_code == 127);
        CHECK(missing.output.head.find("not found") != std::string::npos);
    });
}

TEST_CASE("job: a command that closes its output is awaited all the same")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        const auto end = co_await with.run_job("echo hi; exec >&- 2>&-; sleep 0.2; exit 4");
        CHECK(end.exit_code == 4);
        CHECK(end.wall >= 200ms);
        CHECK(end.output.head == "hi\n");
    });
}

TEST_CASE("job: time and memory of the tree are accounted for")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        const auto end = co_await with.run_job(
            "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'; head -c 30000000 /dev/zero "
            "| tail -c 30000000 | wc -c");
        CHECK(end.output.head == "30000000\n");
        CHECK(end.cpu > 10ms);
        CHECK(end.cpu <= 4 * end.wall);
        rusage own{};
        ::getrusage(RUSAGE_SELF, &own);
        if (own.ru_maxrss < 24'000) // KiB; a sanitizer's build is larger than what it looks at
            CHECK(end.peak_bytes.value_or(0) > 25'000'000);
        const auto small = co_await with.run_job("true");
        if (!with.shared.has_controller("memory"))
            CHECK_FALSE(small.peak_bytes); // and not what this process has
    });
}

TEST_CASE("job: a stop before the start starts nothing, and the first of two stops counts")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        const auto proof = with.folder + "/proof";
        auto what = with.command("touch proof");
        jobs::job one{with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{}};
        one.stop(jobs::stopped_by::user);
        one.stop(jobs::stopped_by::model);
        const auto end = co_await one.run();
        CHECK(end.how == jobs::ended::killed);
        CHECK(end.by == jobs::stopped_by::user);
        CHECK_FALSE(end.exit_code);
        CHECK_FALSE(end.signal);
        CHECK(::access(proof.c_str(), F_OK) != 0);
    });
}

TEST_CASE("job: what can be said of it follows its life")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        auto what = with.command("echo hi; exec sleep 300");
        jobs::job one{with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{}};
        CHECK_FALSE(one.look().running);
        jobs::outcome end;
        aio::task_group group{with.strand};
        group.spawn("job", run_into(one, &end));
        const auto printed = [&one] { return one.look().output_bytes == 3; };
        co_await testing::until(printed);
        CHECK(one.look().running);
        CHECK(one.look().pid > 0);
        one.stop(jobs::stopped_by::task_end);
        co_await group.join();
        CHECK_FALSE(one.look().running);
        CHECK(end.by == jobs::stopped_by::task_end);
        CHECK(end.signal == SIGTERM);
    });
}

TEST_CASE("job: cancelling it kills the tree at once, and it ends when that is gone")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        const auto mark = testing::marker();
        auto what = with.command("trap '' TERM; setsid sleep " + mark + " & sleep " + mark);
        jobs::job one{with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{}};
        bool threw = false;
        aio::task_group group{with.strand};
        group.spawn("job", run_aborted(one, &threw));
        const auto all_up = [&mark] { return testing::processes_with(mark) == 3; };
        co_await testing::until(all_up);
        group.cancel();
        co_await group.join();
        CHECK(threw);
        CHECK(testing::processes_with(mark) == 0);
    });
}

TEST_CASE("foreground: cancelling it gives the tree its grace, and it ends when that is gone")
{
    const auto test = [](rig& with) -> aio::awaitable<> {
        const auto mark = testing::marker();
        auto what = with.command(
            "trap 'touch asked; exit 0' TERM; setsid sleep " + mark + " & sleep " + mark);
        jobs::foreground commands{with.strand, with.shared, base::session_id{"s_test"}};
        bool threw = false;
        aio::task_group group{with.strand};
        group.spawn("command", run_command(commands, std::move(what), &threw));
        // Both sleeps have been executed: a shell loses a TERM between fork and exec.
        const auto asleep = std::string{"sleep\0", 6} + mark;
        const auto both = [&asleep] { return testing::processes_with(asleep) == 2; };
        co_await testing::until(both);
        group.cancel();
        co_await group.join();
        CHECK(threw);
        CHECK(testing::processes_with(mark) == 0);
        CHECK(::access((with.folder + "/asked").c_str(), F_OK) == 0);
    };
    with_rig(test, testing::patient());
}

TEST_CASE("job: cancelled while it waits for its place it starts nothing")
{
    auto options = testing::quick();
    options.job_caps = {1, 1, 10};
    const auto test = [](rig& with) -> aio::awaitable<> {
        const base::session_id session{"s_a"};
        auto first = co_await with.shared.job_places.enter(session);
        auto second = co_await with.shared.job_places.enter(session);
        REQUIRE(second);
        CHECK_FALSE(second->granted());
        {
            auto what = with.command("touch proof");
            jobs::job one{
                with.strand, with.shared, base::new_job_id(), std::move(what), std::move(*second)};
            CHECK(one.look().queued);
            bool threw = false;
            aio::task_group group{with.strand};
            group.spawn("job", run_aborted(one, &threw));
            co_await aio::sleep_for(1ms);
            group.cancel();
            co_await group.join();
            CHECK(threw);
        }
        CHECK(::access((with.folder + "/proof").c_str(), F_OK) != 0);
        const auto counts = co_await with.shared.job_places.count();
        CHECK(counts.running == 1);
        CHECK(counts.queued == 0);
    };
    with_rig(test, options);
}

TEST_CASE("job: one that is queued starts when a place is free, one that is stopped does not")
{
    auto options = testing::quick();
    options.job_caps = {1, 1, 10};
    const auto test = [](rig& with) -> aio::awaitable<> {
        const base::session_id session{"s_a"};
        std::list<jobs::job> jobs;
        std::vector<jobs::outcome> ends(3);
        aio::task_group group{with.strand};
        for (std::size_t i = 0; i < 3; ++i) {
            auto turn = co_await with.shared.job_places.enter(session);
            REQUIRE(turn);
            auto what = with.command("while [ ! -e go ]; do sleep 0.01; done");
            auto& one = jobs.emplace_back(
                with.strand, with.shared, base::new_job_id(), std::move(what), std::move(*turn));
            group.spawn("job", run_into(one, &ends[i]));
        }
        const auto started = [&jobs] { return jobs.front().look().running; };
        co_await testing::until(started);
        CHECK(jobs.back().look().queued);
        std::next(jobs.begin())->stop(jobs::stopped_by::model);
        std::ofstream{with.folder + "/go"} << "go";
        co_await group.join();
        CHECK(ends[0].how == jobs::ended::completed);
        CHECK(ends[1].how == jobs::ended::killed);
        CHECK_FALSE(ends[1].exit_code);
        CHECK(ends[2].exit_code == 0);
    };
    with_rig(test, options);
}

TEST_CASE("foreground: output is kept up to its bounds, the middle is counted")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        const auto end = co_await with.run_foreground("yes 0123456789abcde | head -c 1000000");
        CHECK(end.output_bytes == 1'000'000);
        CHECK(end.output.head.size() == 50'000);
        CHECK(end.output.tail.size() == 150'000);
        CHECK(end.output.left_out == 800'000);
        CHECK(end.output.head.starts_with("0123456789abcde\n"));
        CHECK(end.output.tail.ends_with("0123456789abcde\n"));
    });
}

TEST_CASE("job: a hundred at once leave no zombie and no descriptor")
{
    const auto test = [](rig& with) -> aio::awaitable<> {
        const auto before = testing::open_descriptors();
        std::list<jobs::job> jobs;
        std::vector<jobs::outcome> ends(100);
        aio::task_group group{with.strand};
        for (auto& end : ends) {
            const auto number = static_cast<int>(&end - ends.data());
            auto what =
                with.command("echo " + std::to_string(number) + "; exit " + std::to_string(number));
            auto& one = jobs.emplace_back(
                with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{});
            group.spawn("job", run_into(one, &end));
        }
        co_await group.join();
        for (int i = 0; i < 100; ++i) {
            CHECK(ends[static_cast<std::size_t>(i)].exit_code == i);
            CHECK(ends[static_cast<std::size_t>(i)].output.head == std::to_string(i) + "\n");
        }
        CHECK(testing::open_descriptors() == before);
        CHECK(testing::own_children() == 0);
        CHECK(with.shared.children.leaders() == 0);
    };
    with_rig(test);
    with_rig(test, testing::quick(), 4);
}
