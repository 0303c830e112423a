// The terminal of a job: what it is to the job, and what is written to it arrives or is refused.
#include "base/clock.hpp"
#include "tests/daemon/jobs/fed_job.hpp"

#include <doctest/doctest.h>

using namespace agentd;
using namespace std::chrono_literals;
using jobs::input_stop;
using testing::fed_job;
using testing::numbered_lines;
using testing::read_text;
using testing::rig;
using testing::until;
using testing::with_feeding;

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

TEST_CASE("pty: a line that several writes make together is no longer than one that fits")
{
    with_feeding([](rig& with) -> aio::awaitable<> {
        fed_job job{with, "cat > copy", jobs::input::terminal};
        const std::string half(4000, 'x');
        const auto first = co_await job.write("begun\n" + half);
        CHECK(first.taken == 4006);
        const auto refused = co_await job.write(half + "\n");
        CHECK(refused.why == input_stop::line_too_long);
        CHECK(refused.taken == 0);
        const auto rest = co_await job.write("94 more, with the end of the line\n" + half);
        CHECK(rest.why == input_stop::none);
        const auto ended =
            co_await job.write("", true); // within a line: it is handed over as it is
        CHECK(ended.closed);
        co_await job.running.join();
        const auto copy = read_text(with.folder + "/copy");
        CHECK((copy == "begun\n" + half + "94 more, with the end of the line\n" + half));
    });
}

TEST_CASE("pty: who floods it beyond the bound of its output is cut off, whatever it ignores")
{
    auto options = testing::patient();
    options.most.output_bytes = 100'000;
    const auto test = [](rig& with) -> aio::awaitable<> {
        fed_job job{with, "trap '' TERM HUP; yes; echo $? > code; exit 0", jobs::input::terminal};
        const auto begun = base::mono_now();
        co_await job.running.join();
        CHECK(base::elapsed_since(begun) < 15s); // the grace is longer
        CHECK(job.end.by == jobs::stopped_by::disk);
        CHECK(job.end.reason == "wrote more than its 100000 bytes of output");
        CHECK(job.end.output_bytes == 100'000);
        CHECK(read_text(with.folder + "/code") == "1\n"); // the write failed
    };
    with_feeding(test, options);
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
