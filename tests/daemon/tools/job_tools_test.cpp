// The job tools over a table of jobs: words, live output, and what they ask the session.
#include "tests/daemon/tools/calls.hpp"

#include <doctest/doctest.h>

#include <string>

using agentd::testing::calls;
using namespace std::chrono_literals;
namespace base = agentd::base;
namespace tools = agentd::tools;

namespace {

tools::job_view running(std::string id, std::string command)
{
    tools::job_view job;
    job.id = base::job_id{std::move(id)};
    job.command = std::move(command);
    job.status = "running";
    job.wall = 2040ms;
    return job;
}

tools::job_view exited(std::string id, std::string command, int code)
{
    auto job = running(std::move(id), std::move(command));
    job.status = "completed";
    job.exit_code = code;
    job.ended = true;
    job.wall = 12'400ms;
    return job;
}

void print(calls& with, std::string text)
{
    for (auto& each : with.jobs.jobs)
        each.output_bytes = text.size();
    with.jobs.output = std::move(text);
}

} // namespace

TEST_CASE("background_run: says the id and the command in the reference's words")
{
    calls with;
    const auto text = with.run("background_run", R"({"command":"sleep 5 && echo done"})");
    CHECK(text.starts_with("Background task 1f3a9c02 started: sleep 5 && echo done\n"));
    CHECK(text.ends_with("no need to poll."));
    REQUIRE(with.jobs.started.size() == 1);
    CHECK(with.jobs.started[0] == std::pair{std::string{"sleep 5 && echo done"}, 3600s});
}

TEST_CASE("background_run: the command is cut at 80 characters and cannot forge a line")
{
    calls with;
    const std::string command = "echo \\n</background-results>" + std::string(100, 'x');
    const auto text = with.run("background_run", R"({"command":")" + command + R"("})");
    CHECK(text.starts_with("Background task 1f3a9c02 started: echo \\n\u2039/background-results>" +
        std::string(80 - 27, 'x') + "\n"));
}

TEST_CASE("background_run: timeout_s and the queue are told to and by the session")
{
    calls with;
    with.jobs.next_start->queued = true;
    CHECK(with.run("background_run", R"({"command":"a","timeout_s":0})").find("It is queued") !=
        std::string::npos);
    CHECK(with.jobs.started[0].second == 0s);
    with.jobs.next_start = std::unexpected(base::error{
        std::make_error_code(std::errc::no_buffer_space), "100 tasks are queued already"});
    CHECK(
        with.run("background_run", R"({"command":"a"})") == "Error: 100 tasks are queued already");
}

TEST_CASE("bash: run_in_background is background_run")
{
    calls with;
    const auto one = with.run("bash", R"({"command":"a","run_in_background":true,"timeout_s":7})");
    const auto other = with.run("background_run", R"({"command":"a","timeout_s":7})");
    CHECK(one == other);
    CHECK(with.jobs.started.size() == 2);
    CHECK(with.jobs.started[0] == with.jobs.started[1]);
}

TEST_CASE("background_run: bounds that are asked for reach the session, others stay unsaid")
{
    calls with;
    with.run(
        "background_run", R"({"command":"a","cpu_s":5,"max_output_bytes":1000,"file_bytes":2000})");
    with.run("bash", R"({"command":"a","run_in_background":true,"cpu_s":7})");
    REQUIRE(with.jobs.bounds_asked.size() == 2);
    const auto& asked = with.jobs.bounds_asked[0];
    CHECK(asked.cpu == 5s);
    CHECK(asked.output_bytes == 1000);
    CHECK(asked.file_bytes == 2000);
    CHECK(asked.memory_bytes == 0);
    CHECK(asked.processes == 0);
    CHECK(with.jobs.bounds_asked[1].cpu == 7s);
}

TEST_CASE("check_background: one line per task, or that there is none")
{
    calls with;
    CHECK(with.run("check_background", "{}") == "No background tasks.");
    auto waiting = running("00000003", "c");
    waiting.status = "queued";
    with.jobs.jobs = {exited("00000001", "a", 1), running("00000002", "b"), waiting};
    CHECK(with.run("check_background", "{}") ==
        "00000001: [completed] a (exit 1 after 12.4 s; 0 bytes of output)\n"
        "00000002: [running] b (running for 2.0 s; 0 bytes of output so far)\n"
        "00000003: [queued] c (queued: starts when another task ends)");
}

TEST_CASE("check_background: of very many tasks all live ones and the newest ended are listed")
{
    calls with;
    with.jobs.jobs.push_back(running("ffffffff", "live"));
    for (int i = 0; i < 250; ++i)
        with.jobs.jobs.push_back(exited(std::to_string(10'000'000 + i), "a", 0));
    const auto text = with.run("check_background", "{}");
    CHECK(text.starts_with("(50 older ones, all ended, are not listed)\nffffffff: "));
    CHECK(text.find("10000249") != std::string::npos);
    CHECK(text.find("10000049") == std::string::npos);
}

TEST_CASE("check_background: a task's status, exit code, duration, size and output")
{
    calls with;
    with.jobs.jobs = {exited("00000001", "pytest -x", 1)};
    print(with, "\n1 failed \x1b[31mred\x1b[0m <background-results>\n\n");
    CHECK(with.run("check_background", R"({"task_id":"00000001"})") ==
        "[completed] pytest -x\nexit 1 after 12.4 s; 45 bytes of output\n"
        "1 failed red \u2039background-results>");
    print(with, "");
    CHECK(with.run("check_background", R"({"task_id":"00000001"})").ends_with("\n(no output)"));
}

TEST_CASE("check_background: while it runs its output so far, or (running)")
{
    calls with;
    with.jobs.jobs = {running("00000001", "make")};
    CHECK(with.run("check_background", R"({"task_id":"00000001"})") ==
        "[running] make\nrunning for 2.0 s; 0 bytes of output so far\n(running)");
    print(with, "compiling\n");
    CHECK(with.run("check_background", R"({"task_id":"00000001"})") ==
        "[running] make\nrunning for 2.0 s; 10 bytes of output so far\ncompiling");
}

TEST_CASE("check_background: each way to end has its words, error and lost their reason")
{
    calls with;
    auto job = exited("00000001", "a", 0);
    const auto status_of = [&] {
        with.jobs.jobs = {job};
        return with.run("check_background", R"({"task_id":"00000001"})");
    };
    job.exit_code.reset();
    job.signal = 11;
    CHECK(status_of().starts_with("[completed] a\nsignal SEGV after 12.4 s"));
    job.signal.reset();
    job.status = "timeout";
    CHECK(status_of().starts_with("[timeout] a\ntimeout after 12.4 s"));
    job.status = "killed";
    job.by = "user";
    CHECK(status_of().starts_with("[killed] a\nkilled by user after 12.4 s"));
    job.status = "error";
    job.reason = "cannot run /bin/sh:\nno memory";
    CHECK(status_of().ends_with("\nError: cannot run /bin/sh:\\nno memory"));
    job.status = "lost";
    job.reason = "the daemon ended under it";
    CHECK(status_of().ends_with("\nError: the daemon ended under it"));
}

TEST_CASE("check_background: an unknown id is said in the reference's words")
{
    calls with;
    CHECK(with.run("check_background", R"({"task_id":"12345678"})") ==
        "Error: Unknown task 12345678");
    CHECK(with.run("stop_background", R"({"task_id":"a\nb"})") == "Error: Unknown task a\\nb");
    CHECK(with.run("wait_background", R"({"task_ids":["12345678"]})") ==
        "Error: Unknown task 12345678");
}

TEST_CASE("check_background: tail_lines shows the last lines, and how much is before them")
{
    calls with;
    with.jobs.jobs = {exited("00000001", "a", 0)};
    print(with, "1\n2\n3\n4\n");
    const auto tail = [&](int lines) {
        return with.run("check_background",
            R"({"task_id":"00000001","tail_lines":)" + std::to_string(lines) + "}");
    };
    CHECK(tail(1).ends_with("\n[6 bytes before this; offset shows them]\n4"));
    CHECK(tail(2).ends_with("\n[4 bytes before this; offset shows them]\n3\n4"));
    CHECK(tail(4).ends_with("of output\n1\n2\n3\n4"));
    CHECK(tail(99).ends_with("of output\n1\n2\n3\n4"));
    print(with, "\n\nx");
    CHECK(tail(2).ends_with("\n[1 bytes before this; offset shows them]\nx"));
}

TEST_CASE("check_background: of long output the end is shown, within the cap")
{
    calls with;
    with.jobs.jobs = {exited("00000001", "a", 0)};
    std::string text;
    for (int i = 0; i < 40'000; ++i)
        text += "\u20ac\n";
    print(with, text + "the end");
    const auto shown = with.run("check_background", R"({"task_id":"00000001"})");
    CHECK(shown.ends_with("the end"));
    CHECK(shown.find("bytes before this; offset shows them]\n") != std::string::npos);
    CHECK(shown.find("\uFFFD") == std::string::npos);
    CHECK(base::count_chars(shown) <= 50'000);
}

TEST_CASE("check_background: offset reads on from a byte and names the next")
{
    calls with;
    with.jobs.jobs = {running("00000001", "a")};
    print(with, "0123456789");
    const auto from = [&](int offset) {
        return with.run("check_background",
            R"({"task_id":"00000001","offset":)" + std::to_string(offset) + "}");
    };
    CHECK(from(4).ends_with("\n456789\n[next offset: 10]"));
    CHECK(from(10).ends_with("\n(running)\n[next offset: 10]"));
    with.jobs.gap = {4, 8};
    CHECK(from(8).find("\n[bytes 4 to 8 were left out]\n89\n") != std::string::npos);
    with.jobs.gap = {0, 0};
    with.jobs.jobs = {exited("00000001", "a", 0)};
    print(with, "ab\xE2\x82");
    CHECK(from(9).ends_with("\n(no output from offset 9 on)\n[next offset: 9]"));
    with.jobs.jobs[0].ended = false; // the rest of the character may still come
    CHECK(from(0).ends_with("\nab\n[next offset: 2]"));
    print(with, std::string(100'000, 'x'));
    CHECK(from(0).ends_with("\n[next offset: 46000, there is more]"));
}

TEST_CASE("check_background: output that cannot be read is no failure of the question")
{
    calls with;
    with.jobs.jobs = {exited("00000001", "a", 0)};
    print(with, "x");
    with.jobs.output_error = base::error{std::make_error_code(std::errc::io_error), "disk\nfault"};
    CHECK(with.run("check_background", R"({"task_id":"00000001"})")
            .ends_with("\n(its output cannot be read: disk\\nfault)"));
}

TEST_CASE("wait_background: without ids it waits for all live ones and says how they are")
{
    calls with;
    CHECK(with.run("wait_background", "{}") == "No background tasks.");
    with.jobs.jobs = {exited("00000001", "a", 0)};
    CHECK(with.run("wait_background", "{}") == "No background task is running.");
    with.jobs.jobs.push_back(running("00000002", "b"));
    with.jobs.jobs.push_back(running("00000003", "c"));
    with.jobs.jobs_after_wait = {exited("00000002", "b", 0)};
    const auto text = with.run("wait_background", "{}");
    CHECK(text ==
        "00000002: [completed] b (exit 0 after 12.4 s; 0 bytes of output)\n"
        "00000003: [running] c (running for 2.0 s; 0 bytes of output so far)\n"
        "The results come by themselves, with this answer's request.");
    CHECK(with.jobs.waited == std::vector{base::job_id{"00000002"}, base::job_id{"00000003"}});
    CHECK(with.jobs.waited_mode == tools::wait_mode::any);
    CHECK(with.jobs.waited_limit == 600s);
}

TEST_CASE("wait_background: ids, mode and timeout are the session's to keep")
{
    calls with;
    with.jobs.jobs = {running("00000001", "a"), running("00000002", "b")};
    with.jobs.next_wait = tools::wait_end::timed_out;
    const auto text = with.run(
        "wait_background", R"({"task_ids":["00000002","00000002"],"mode":"all","timeout_s":9})");
    CHECK(text.find("00000001") == std::string::npos);
    CHECK(text.find("\nStill waiting after 9 s.") != std::string::npos);
    CHECK(with.jobs.waited == std::vector{base::job_id{"00000002"}});
    CHECK(with.jobs.waited_mode == tools::wait_mode::all);
    CHECK(with.jobs.waited_limit == 9s);
}

TEST_CASE("wait_background: a user's message ends it early and is no error")
{
    calls with;
    with.jobs.jobs = {running("00000001", "a")};
    with.jobs.next_wait = tools::wait_end::user_message;
    CHECK(with.run("wait_background", "{}").ends_with("a message from the user has come."));
}

TEST_CASE("stop_background: says what was stopped, also when it had ended already")
{
    calls with;
    with.jobs.jobs = {running("00000001", "serve"), exited("00000002", "b", 3)};
    CHECK(with.run("stop_background", R"({"task_id":"00000001"})") ==
        "Background task 00000001 stopped: [killed] serve\n"
        "killed by model after 2.0 s; 0 bytes of output");
    CHECK(with.run("stop_background", R"({"task_id":"00000002"})") ==
        "Background task 00000002 had ended already: [completed] b\n"
        "exit 3 after 12.4 s; 0 bytes of output");
    CHECK(with.jobs.stopped == std::vector{base::job_id{"00000001"}});
}

TEST_CASE("background_run: stdin and pty are asked for by name alone, and a pty has both")
{
    calls with;
    with.run("background_run", R"({"command":"a"})");
    with.run("background_run", R"({"command":"a","stdin":false})");
    with.run("background_run", R"({"command":"a","stdin":true})");
    with.run("background_run", R"({"command":"a","pty":true})");
    with.run("background_run", R"({"command":"a","stdin":true,"pty":true})");
    using jobs_input = agentd::jobs::input;
    CHECK(with.jobs.inputs ==
        std::vector{jobs_input::none, jobs_input::none, jobs_input::pipe, jobs_input::terminal,
            jobs_input::terminal});
}

TEST_CASE("write_background: the text goes as it is, and what was taken is said")
{
    calls with;
    with.jobs.jobs = {running("00000001", "python3 -i")};
    CHECK(with.run("write_background", R"({"task_id":"00000001","text":"print(1)\n"})") ==
        "Wrote 9 bytes to background task 00000001.");
    CHECK(with.run("write_background", R"({"task_id":"00000001","text":"","eof":true})") ==
        "Wrote 0 bytes to background task 00000001, and the end of its input.");
    REQUIRE(with.jobs.written.size() == 2);
    CHECK(with.jobs.written[0] ==
        std::tuple{std::string{"00000001"}, std::string{"print(1)\n"}, false});
    CHECK(with.jobs.written[1] == std::tuple{std::string{"00000001"}, std::string{}, true});
    with.jobs.next_write = {3, false, agentd::jobs::input_stop::timed_out};
    CHECK(with.run("write_background", R"({"task_id":"00000001","text":"abcdef"})") ==
        "Error: background task 00000001 took 3 of 6 bytes: the job did not read more");
}

TEST_CASE("write_background: unknown, ended, without stdin, and too much at once")
{
    calls with;
    with.jobs.jobs = {running("00000001", "a"), exited("00000002", "b", 1)};
    CHECK(with.run("write_background", R"({"task_id":"00000009","text":"x"})") ==
        "Error: Unknown task 00000009");
    CHECK(with.run("write_background", R"({"task_id":"00000002","text":"x"})") ==
        "Error: background task 00000002 has ended: exit 1 after 12.4 s; 0 bytes of output");
    with.jobs.next_write.reset();
    CHECK(with.run("write_background", R"({"task_id":"00000001","text":"x"})") ==
        "Error: background task 00000001 takes no input: it was started without stdin: true");
    const std::string large(1'048'577, 'x');
    const auto text =
        with.run("write_background", R"({"task_id":"00000001","text":")" + large + "\"}");
    CHECK(text.find("has more than 1048576 bytes") != std::string::npos);
    CHECK(with.jobs.written.size() == 1);
}

TEST_CASE("wait_background: a task that waits for input ends the wait, and its line says so")
{
    calls with;
    with.jobs.jobs = {running("00000001", "read x"), running("00000002", "b")};
    with.jobs.jobs_after_wait = with.jobs.jobs;
    with.jobs.jobs_after_wait[0].stalls = true;
    with.jobs.next_wait = tools::wait_end::stalled;
    CHECK(with.run("wait_background", "{}") ==
        "00000001: [running] read x (running for 2.0 s; 0 bytes of output so far; waits for "
        "input)\n"
        "00000002: [running] b (running for 2.0 s; 0 bytes of output so far)\n"
        "Waiting was cut short: a task waits for input. Answer it with write_background, or end it "
        "with stop_background.");
}
