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
using testing::read_text;
using testing::rig;
using testing::until;
using testing::with_feeding;

namespace {

std::string numbered_lines(std::size_t bytes)
{
    std::string text;
    for (int i = 0; text.size() < bytes; ++i)
        text += std::to_string(i) + "\n";
    return text;
}

} // namespace

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
        const auto runs = [&job] { return job.one.look().pid != 0; };
        co_await until(runs);
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
        const auto runs = [&job] { return job.one.look().pid != 0; };
        co_await until(runs);
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
        const auto runs = [&job] { return job.one.look().pid != 0; };
        co_await until(runs);
        input_result first, second;
        aio::task given_up{with.strand};
        aio::task kept{with.strand};
        given_up.start("writer", job.write_into(&first, std::string(100'000, 'a'), false));
        kept.start("writer", job.write_into(&second, "b", true));
        given_up.cancel();
        co_await given_up.join();
        CHECK(first.taken == 0); // it has thrown
        job.one.stop(jobs::stopped_by::user);
        co_await kept.join();
        co_await job.running.join();
        CHECK(second.why == input_stop::ended);
    });
}

TEST_CASE("pty: the job has a terminal of 80 by 24 as 0, 1, 2 and as its session's own")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job job{with,
            "test -t 0 && test -t 1 && test -t 2 && tty | cut -d/ -f1-3; stty size; echo > /dev/tty; "
            "ps -o tpgid= -o pgid= -p $$ | { read t g; test $t = $g && echo foreground; }; "
            "ls /proc/self/fd | wc -l",
            jobs::input::terminal};
        co_await job.running.join();
        CHECK(job.end.exit_code == 0);
        CHECK(job.end.output.head == "/dev/pts\r\n24 80\r\n\r\nforeground\r\n4\r\n");
    });
}

TEST_CASE(
    "pty: what is written is echoed and read by lines, and the end of the input is a character")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job job{
            with, "read x; echo $x > got; cat > copy; cat; echo end", jobs::input::terminal};
        const auto first = co_await job.write("one\n");
        CHECK(first.taken == 4);
        const auto within = co_await job.write("half", true); // not at a line's beginning
        CHECK(within.taken == 4);
        CHECK(within.closed);
        const auto again = co_await job.write("", true);
        CHECK(again.why == input_stop::none); // it stays open
        co_await job.running.join();
        CHECK(job.end.exit_code == 0);
        const auto& text = job.end.output.head;
        CHECK(read_text(with.folder + "/got") == "one\n");
        CHECK(read_text(with.folder + "/copy") == "half");
        CHECK_MESSAGE(text.starts_with("one\r\nhalf"), text); // the echo
        CHECK_MESSAGE(text.ends_with("end\r\n"), text);
    });
}

TEST_CASE("pty: control characters make signals")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        // A shell that is told while it begins to read may sleep on; one that waits may not.
        fed_job job{with, "trap 'echo interrupted; exit 5' INT; echo > ready; sleep 300 & wait",
            jobs::input::terminal};
        const auto ready = [&with] { return !read_text(with.folder + "/ready").empty(); };
        co_await until(ready);
        const auto interrupt = co_await job.write("\x03");
        CHECK(interrupt.why == input_stop::none);
        co_await job.running.join();
        CHECK(job.end.exit_code == 5);
        CHECK(job.end.output.head == "^Cinterrupted\r\n");
    });
}

TEST_CASE("pty: a line that would lose its end is refused, the longest that fits arrives whole")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job job{with, "cat > copy", jobs::input::terminal};
        const auto refused = co_await job.write("x\n" + std::string(4095, 'x') + "\n");
        CHECK(refused.why == input_stop::line_too_long);
        CHECK(refused.taken == 0);
        const auto text = std::string(4094, 'y') + "\n";
        const auto done = co_await job.write(text, true);
        CHECK(done.why == input_stop::none);
        co_await job.running.join();
        CHECK((read_text(with.folder + "/copy") == text));
    });
}

TEST_CASE("pty: a job that closes all it has can open its terminal again")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job job{with,
            "exec </dev/null >/dev/null 2>&1; sleep 0.1; echo asks > /dev/tty; read x < /dev/tty; "
            "echo got $x > /dev/tty; exit 6",
            jobs::input::terminal};
        const auto done = co_await job.write("it\n");
        CHECK(done.taken == 3);
        co_await job.running.join();
        CHECK(job.end.exit_code == 6);
        CHECK(job.end.output.head.find("asks\r\n") != std::string::npos);
        CHECK(job.end.output.head.find("got it\r\n") != std::string::npos);
    });
}

TEST_CASE("pty: a megabyte in raw mode arrives whole, and the end does not wait for what is left")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job job{with,
            "stty raw -echo; echo > ready; head -c 1000000 > copy; "
            "setsid sh -c 'echo > apart; exec sleep 300' & " // else the terminal's hang-up ends it
            "until [ -e apart ]; do sleep 0.01; done; exit 7",
            jobs::input::terminal};
        const auto ready = [&with] { return !read_text(with.folder + "/ready").empty(); };
        co_await until(ready);
        const auto text = numbered_lines(1'000'000).substr(0, 1'000'000);
        const auto done = co_await job.write(text);
        CHECK(done.taken == text.size());
        co_await job.running.join();
        CHECK((read_text(with.folder + "/copy") == text));
        CHECK(job.end.exit_code == 7);
        CHECK(job.end.leftovers == 1);
    });
}

TEST_CASE("pty: a flood of output is read to its end")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job job{with, "stty -opost; head -c 3000000 /dev/zero | tr '\\0' x; echo end",
            jobs::input::terminal};
        co_await job.running.join();
        CHECK(job.end.output_bytes == 3'000'004);
        CHECK(job.end.output.tail.ends_with("xend\n"));
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
