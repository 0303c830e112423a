// The stdin of a job: what is written arrives, in order and whole, or it is said how much did.
#include "base/clock.hpp"
#include "tests/daemon/jobs/fed_job.hpp"

#include <doctest/doctest.h>

#include <sched.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <list>

using namespace agentd;
using namespace std::chrono_literals;
using jobs::input_result;
using jobs::input_stop;
using testing::fed_job;
using testing::numbered_lines;
using testing::read_text;
using testing::rig;
using testing::until;
using testing::with_feeding;

TEST_CASE("input: lines are read as they are written, and the end of the input is the end")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job job{with, "read x; echo got $x > got; cat; echo end"};
        const auto first = co_await job.write("one\n");
        CHECK(first.why == input_stop::none);
        CHECK(first.taken == 4);
        CHECK_FALSE(first.closed);
        const auto ready = [&with] { return read_text(with.folder + "/got") == "got one\n"; };
        co_await until(ready);
        const auto last = co_await job.write("two\n", true);
        CHECK(last.closed);
        co_await job.running.join();
        CHECK(job.end.exit_code == 0);
        CHECK(job.end.output.head == "two\nend\n");
    });
}

TEST_CASE("input: it is a pipe that can be opened again, and nothing else of ours is inherited")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job job{with, "cat < /dev/stdin; test -p /dev/stdin && ls /proc/self/fd | wc -l"};
        const auto done = co_await job.write("again\n", true);
        CHECK(done.why == input_stop::none);
        co_await job.running.join();
        CHECK(job.end.output.head == "again\n4\n"); // 0, 1, 2 and the folder that ls reads
    });
}

TEST_CASE("input: a job without it has an empty stdin and nothing to write to")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        jobs::job one{with.strand, with.shared, base::job_id{"00000001"},
            with.command("cat; wc -c"), jobs::place{}};
        CHECK(one.stdin_of() == nullptr);
        CHECK(with.shared.inputs.find(base::job_id{"00000001"}) == nullptr);
        const auto end = co_await one.run();
        CHECK(end.output.head == "0\n");
    });
}

TEST_CASE("input: a megabyte through a slow reader arrives whole and in order")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job job{with, "dd ibs=3000 obs=3000 of=copy status=none; sleep 0.01; echo done"};
        const auto text = numbered_lines(1'000'000);
        const auto done = co_await job.write(text, true);
        CHECK(done.why == input_stop::none);
        CHECK(done.taken == text.size());
        co_await job.running.join();
        CHECK((read_text(with.folder + "/copy") == text));
        CHECK(job.end.output.head == "done\n");
    });
}

TEST_CASE("input: several writers at once come one after the other, each whole")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job job{with, "sleep 0.1; cat > copy"};
        std::list<input_result> results(3);
        aio::task_group writers{with.strand};
        std::string expected;
        for (char letter = 'a'; auto& result : results) {
            const std::string text(200'000, letter++);
            expected += text;
            const bool last = &result == &results.back();
            writers.spawn("writer", job.write_into(&result, text, last));
        }
        co_await writers.join();
        for (const auto& result : results)
            CHECK(result.taken == 200'000);
        co_await job.running.join();
        CHECK((read_text(with.folder + "/copy") == expected));
    });
}

TEST_CASE("input: who comes while another one waits for room does not overtake it")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        CHECK(::mkfifo((with.folder + "/gate").c_str(), 0600) == 0);
        fed_job job{with, "read x < gate; cat > copy"};
        input_result first;
        aio::task writer{with.strand};
        writer.start("writer", job.write_into(&first, std::string(100'000, 'a'), false));
        const auto is_full = [&job] { return job.one.stdin_of()->total() == 65'536; };
        co_await until(is_full);
        std::ofstream{with.folder + "/gate"} << "go\n";
        // The pipe is emptied while the loop does not run: the first one cannot have seen it.
        const auto last = base::mono_now() + 10s;
        while (read_text(with.folder + "/copy").size() < 65'536 && base::mono_now() < last)
            ::sched_yield();
        const auto second = co_await job.write("b", true);
        CHECK(second.closed);
        co_await writer.join();
        co_await job.running.join();
        CHECK(first.taken == 100'000);
        CHECK((read_text(with.folder + "/copy") == std::string(100'000, 'a') + "b"));
    });
}

TEST_CASE("input: what a job does not read is counted at the deadline")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job job{with, "exec sleep 300"};
        const auto done = co_await job.write(std::string(300'000, 'x'), true, 300ms);
        CHECK(done.why == input_stop::timed_out);
        CHECK(done.taken == 65'536); // a pipe holds so much
        CHECK_FALSE(done.closed);
        const auto none = co_await job.write("y", false, 10ms);
        CHECK(none.why == input_stop::timed_out);
        CHECK(none.taken == 0);
        job.one.stop(jobs::stopped_by::user);
        co_await job.running.join();
    });
}

TEST_CASE("input: who writes when the job ends goes on with what was taken")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job job{with, "exec sleep 300"};
        std::list<input_result> results(2);
        aio::task_group writers{with.strand};
        for (auto& result : results)
            writers.spawn("writer", job.write_into(&result, std::string(100'000, 'x'), false));
        const auto is_full = [&job] { return job.one.stdin_of()->total() == 65'536; };
        co_await until(is_full);
        job.one.stop(jobs::stopped_by::user);
        co_await job.running.join();
        co_await writers.join();
        CHECK(results.front().why == input_stop::ended);
        CHECK(results.front().taken == 65'536);
        CHECK(results.back().why == input_stop::ended);
        CHECK(results.back().taken == 0);
        CHECK(job.end.how == jobs::ended::killed);
        const auto late = co_await job.write("x");
        CHECK(late.why == input_stop::ended);
    });
}

TEST_CASE("input: a stdin that the job has closed, and one that was ended, take no more")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job closing{with, "exec <&-; echo > closed; exec sleep 300"};
        const auto ready = [&with] { return !read_text(with.folder + "/closed").empty(); };
        co_await until(ready);
        const auto unread = co_await closing.write("x");
        CHECK(unread.why == input_stop::unread);
        CHECK(unread.taken == 0);
        closing.one.stop(jobs::stopped_by::user);
        co_await closing.running.join();

        fed_job ended{with, "cat; exec sleep 300"};
        const auto first = co_await ended.write("", true);
        CHECK(first.closed);
        const auto second = co_await ended.write("x");
        CHECK(second.why == input_stop::closed);
        ended.one.stop(jobs::stopped_by::user);
        co_await ended.running.join();
    });
}

TEST_CASE("input: a write that is cancelled leaves the others their turn")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        CHECK(::mkfifo((with.folder + "/gate").c_str(), 0600) == 0);
        fed_job job{with, "read x < gate; cat > copy"};
        input_result first, second;
        aio::task given_up{with.strand};
        aio::task kept{with.strand};
        given_up.start("writer", job.write_into(&first, std::string(100'000, 'a'), false));
        kept.start("writer", job.write_into(&second, "b", true));
        const auto is_full = [&job] { return job.one.stdin_of()->total() == 65'536; };
        co_await until(is_full);
        given_up.cancel();
        co_await given_up.join();
        CHECK(first.taken == 0); // it has thrown
        CHECK(is_full());        // and counted
        job.one.stop(jobs::stopped_by::user);
        co_await kept.join();
        co_await job.running.join();
        CHECK(second.why == input_stop::ended);
    });
}

TEST_CASE("race: inputs are written from other threads while their jobs end")
{
    ::signal(SIGPIPE, SIG_IGN);
    const auto test = [](rig& with) -> aio::awaitable<> {
        for (int round = 0; round < 20; ++round) {
            const base::job_id id{"0000000" + std::to_string(round % 10)};
            auto what = fed_job::command(with, "head -c 1000 > copy");
            jobs::job one{with.strand, with.shared, id, std::move(what), jobs::place{}};
            input_result result;
            aio::task writer{with.strand};
            const auto elsewhere = aio::make_strand(with.shared.io);
            const auto write = [](rig& all, base::job_id of,
                                   input_result* into) -> aio::awaitable<> {
                auto to = all.shared.inputs.find(of);
                REQUIRE(to != nullptr);
                const auto home = to->strand();
                auto writing =
                    jobs::job_input::write(std::move(to), std::string(200'000, 'x'), false);
                auto done = co_await aio::on(home, std::move(writing));
                *into = done;
            };
            aio::task_group others{with.strand};
            others.spawn_on(elsewhere, "writer", write(with, id, &result));
            const auto end = co_await one.run();
            co_await others.join();
            CHECK(end.exit_code == 0);
            const bool told = result.why == input_stop::unread || result.why == input_stop::ended;
            CHECK(told);
            CHECK(with.shared.inputs.find(id) == nullptr);
        }
    };
    testing::with_rig(test, testing::quick(), 4);
    ::signal(SIGPIPE, SIG_DFL);
}
