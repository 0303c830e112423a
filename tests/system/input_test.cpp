// Jobs that take input, end to end: what the model, the API and agentctl write arrives; a job that
// waits for input is told of, once, and wakes whoever waits for it.
#include "tests/support/harness/world.hpp"
#include "tests/system/scenario.hpp"

#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

using namespace agentd::testing;

namespace {

const js::object job_id{{"capture", {{"id", "Background task ([0-9a-f]{8})"}}}};

js::object with_id(js::object more = {})
{
    for (const auto& [key, value] : job_id)
        more[key] = value;
    return more;
}

js::value start(std::string_view command, std::string_view how = "stdin")
{
    return use("background_run", {{"command", command}, {how, true}});
}

js::value write(std::string_view text, bool eof = false)
{
    return use("write_background", {{"task_id", "${id}"}, {"text", text}, {"eof", eof}});
}

std::string one_conversation(std::vector<js::value> steps)
{
    return scenario({conversation("go", std::move(steps))});
}

js::object only_job(world& w)
{
    return w.json(200, "GET", "/v1/jobs").at("items").as_array().at(0).as_object();
}

std::string only_job_id(world& w)
{
    return std::string{only_job(w).at("id").as_string()};
}

std::size_t count(world& w, std::string_view type)
{
    const auto all = w.events();
    return static_cast<std::size_t>(std::ranges::count_if(
        all, [type](const js::object& e) { return e.at("type").as_string() == type; }));
}

void check_succeeds(world& w, const std::string& task)
{
    const auto end = w.ended(task);
    CHECK_MESSAGE(end.at("state").as_string() == "succeeded", js::serialize(end));
    w.check_model_content();
}

constexpr const char* watchful = "wake_window_ms = 10\n[jobs]\nstall_s = 1\ngrace_s = 1\n";

} // namespace

TEST_CASE("input: the model writes lines and the end to a job, which gets both")
{
    world w{{.scenario = one_conversation({step({start("read x; echo got $x; cat; echo end")}),
                 step({write("one\n")}, with_id()),
                 step({write("two\n", true), use("wait_background", {})},
                     expects({"Wrote 4 bytes to background task ${id}."})),
                 step({say("Done.")},
                     expects({"and the end of its input.", "completed: exit 0", "| got one",
                         "| two", "| end"}))})}};
    check_succeeds(w, w.submit("go"));
    CHECK(count(w, "job.stalled") == 0);
}

TEST_CASE("input: a job without stdin, an ended one and an unknown one are named in the answers")
{
    world w{{.scenario = one_conversation(
                 {step({background("read line < gate")}), step({write("x")}, with_id()),
                     step({use("write_background", {{"task_id", "00000000"}, {"text", "x"}})},
                         expects({"takes no input: it was started without stdin"})),
                     step({use("bash", {{"command", "echo > gate"}}),
                              use("wait_background", {{"task_ids", js::array{"${id}"}}})},
                         expects({"Error: Unknown task 00000000"})),
                     step({write("x")}), step({say("Done.")}, expects({"has ended: exit 0"}))})}};
    ::mkfifo((w.workspace() + "/gate").c_str(), 0600);
    check_succeeds(w, w.submit("go"));
}

TEST_CASE("input: the API and agentctl write to a job, and are refused when it takes nothing")
{
    world w{{.scenario = one_conversation({step({start("cat > copy; echo end")}),
                 step({say("I wait.")}), step({say("Done.")}, expects({"completed: exit 0"}))})}};
    const auto task = w.submit("go");
    w.await_event("task.waiting", task);
    const auto id = only_job_id(w);
    const std::string bytes{"a\0\xff\n", 4};
    const auto first = w.call("POST", "/v1/jobs/" + id + "/input", bytes);
    CHECK(first.status == 200);
    CHECK(first.body ==
        R"({"job_id":")" + id + R"(","bytes":4,"complete":true,"closed":false,"why":null})");
    CHECK(w.ctl({"input", id, "line"}).code == 0);
    CHECK(w.ctl({"input", id, "-n", "rest", "--eof"}).code == 0);
    check_succeeds(w, task);
    CHECK(read_file(w.workspace() + "/copy") == bytes + "line\nrest");
    const auto late = w.call("POST", "/v1/jobs/" + id + "/input", "x");
    CHECK(late.status == 409);
    CHECK(late.body.find("urn:agentd:problem:no_input") != std::string::npos);
    const auto refused = w.ctl({"input", id, "x"});
    CHECK(refused.code == 5);
    CHECK(refused.err.find("has ended") != std::string::npos);
}

TEST_CASE("input: a megabyte goes through a slow reader whole")
{
    world w{{.scenario = one_conversation(
                 {step({start("dd ibs=5000 obs=5000 of=copy status=none; wc -c < copy")}),
                     step({say("I wait.")}), step({say("Done.")}, expects({"| 1048576"}))})}};
    const auto task = w.submit("go");
    w.await_event("task.waiting", task);
    std::string text;
    for (int i = 0; text.size() < (1U << 20); ++i)
        text += std::to_string(i) + "\n";
    text.resize(1U << 20);
    const auto reply = w.call("POST", "/v1/jobs/" + only_job_id(w) + "/input?eof=1", text);
    CHECK(reply.status == 200);
    CHECK(reply.body.find("\"bytes\":1048576,\"complete\":true,\"closed\":true") !=
        std::string::npos);
    check_succeeds(w, task);
    CHECK((read_file(w.workspace() + "/copy") == text));
}

TEST_CASE("input: a job that reads no more is killed under its writer, who hears what was taken")
{
    world w{{.scenario = one_conversation({step({start("read x; echo > got; exec sleep 300")}),
                 step({say("I wait.")}), step({say("Done.")}, expects({"killed by user"}))}),
        .config = watchful}};
    const auto task = w.submit("go");
    w.await_event("task.waiting", task);
    const auto id = only_job_id(w);
    write_file(w.folder() + "/large", "x\n" + std::string(300'000, 'x'));
    const auto writer = w.start_ctl({"--json", "input", id, "@" + w.folder() + "/large"});
    while (!std::filesystem::exists(w.workspace() + "/got")) // it writes, and the pipe is full
        REQUIRE(w.call("GET", "/v1/health").status == 200);
    CHECK(w.call("POST", "/v1/jobs/" + id + "/kill").status == 200);
    const auto told = writer->read_all(patience());
    CHECK_MESSAGE(told.find("\"bytes\":655") != std::string::npos, told); // a pipe holds so much
    CHECK_MESSAGE(
        told.find(R"("complete":false,"closed":false,"why":"ended")") != std::string::npos, told);
    CHECK(writer->wait(patience()) == 5);
    check_succeeds(w, task);
}

TEST_CASE("input: a task is cancelled while its write waits for a job that does not read")
{
    const std::string large(300'000, 'x');
    world w{{.scenario = one_conversation({step({start("exec sleep 300")}),
                 step({write(large)}, with_id()), step({say("Never.")})}),
        .config = watchful}};
    const auto task = w.submit("go");
    auto calls = w.connect();
    REQUIRE(
        calls.open_stream("/v1/events?follow=1&task_id=" + task + "&types=tool.started").status ==
        200);
    calls.next_line(patience());
    calls.next_line(patience()); // the write has begun
    CHECK(w.call("POST", "/v1/tasks/" + task + "/cancel").status == 202);
    CHECK(w.ended(task).at("state").as_string() == "cancelled");
    CHECK(only_job(w).at("state").as_string() == "killed");
}

TEST_CASE("pty: a job has a terminal of its own, and what is written is echoed")
{
    world w{
        {.scenario = one_conversation(
             {step({start("tty; stty size; [ -t 0 ] && [ -t 1 ] && echo both; echo $TERM; read x; "
                          "echo got $x",
                  "pty")}),
                 step({write("one\n"), use("wait_background", {})}, with_id()),
                 step({say("Done.")},
                     expects({"completed: exit 0", "| /dev/pts/", "| 24 80", "| both", "| dumb",
                         "| one", "| got one"}))})}};
    check_succeeds(w, w.submit("go"));
}

TEST_CASE("pty: a line beyond what a terminal holds is refused by its name, and nothing is taken")
{
    world w{{.scenario = one_conversation({step({start("read x; echo got $x", "pty")}),
                 step({say("I wait.")}), step({say("Done.")}, expects({"completed: exit 0"}))})}};
    const auto task = w.submit("go");
    w.await_event("task.waiting", task);
    const auto call = "/v1/jobs/" + only_job_id(w) + "/input";
    const auto refused = w.call("POST", call, std::string(5000, 'x'));
    CHECK(refused.status == 422);
    CHECK(refused.body.find("urn:agentd:problem:line_too_long") != std::string::npos);
    CHECK(w.call("POST", call, "one\n").status == 200);
    check_succeeds(w, task);
}

TEST_CASE("stall: a silent prompt wakes the task that waits, and the answer ends the job")
{
    world w{{.scenario = one_conversation({step({start("printf 'name? '; read x; echo hello $x")}),
                 step({say("I wait.")}, with_id()),
                 step({write("you\n"), use("wait_background", {})},
                     expects({"[bg:${id}] stalled: silent for", "write_background", "| name?"})),
                 step({say("Done.")}, expects({"completed: exit 0", "hello you"}))}),
        .config = watchful}};
    const auto task = w.submit("go");
    check_succeeds(w, task);
    CHECK(count(w, "job.stalled") == 1);
    const auto stalled = w.await_event("job.stalled", task);
    CHECK(stalled.at("job_id").as_string() == only_job_id(w));
    CHECK(stalled.at("silent_ms").as_int64() >= 1000);
    for (const std::string type : {"notification.queued", "notification.delivered"}) {
        const auto told = w.events("&types=" + type);
        REQUIRE(told.size() == 2);
        CHECK(told[0].at("kind").as_string() == "job_stalled");
        CHECK(told[1].at("kind").as_string() == "job_ended");
    }
}

TEST_CASE("stall: a password prompt on /dev/tty ends wait_background early, which says whose it is")
{
    world w{
        {.scenario = one_conversation(
             {step({start("exec </dev/null; stty -echo </dev/tty; printf 'Password: ' >/dev/tty; "
                          "read x </dev/tty; echo; test $x = secret",
                  "pty")}),
                 step({use("wait_background", {})}, with_id()),
                 step({write("secret\n"), use("wait_background", {})},
                     expects({"${id}: [running]", "; waits for input)", "a task waits for input",
                         "[bg:${id}] stalled:", "| Password:"})),
                 step({say("Done.")}, expects({"completed: exit 0"}))}),
            .config = watchful}};
    const auto task = w.submit("go");
    check_succeeds(w, task);
    CHECK(count(w, "job.stalled") == 1);
    const auto output = w.call("GET", "/v1/jobs/" + only_job_id(w) + "/output").body;
    CHECK(output.find("secret") == std::string::npos); // it has switched the echo off
}

TEST_CASE("stall: a job that is only silent is never told of, nor one whose stdin is empty")
{
    js::object more;
    more["then"] = "repeat_last";
    const auto works = start("i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; sleep 3");
    world w{
        {.scenario = scenario({conversation("go",
             {step({start("sleep 4"), background("sleep 4; cat"), works}), step({say("Done.")})},
             std::move(more))}),
            .config = watchful}};
    const auto task = w.submit("go");
    CHECK(w.ended(task).at("state").as_string() == "succeeded");
    CHECK(count(w, "job.stalled") == 0);
}

TEST_CASE("stall: one of a job that has ended since ends no wait")
{
    js::object first;
    first["capture"] = {{"id", "Background task ([0-9a-f]{8}) started: read"},
        {"other", "Background task ([0-9a-f]{8}) started: until"}};
    first["reply"] = {{"hold", "one"}};
    const js::value both{"${id}", "${other}"};
    world w{{.scenario = one_conversation(
                 {step({start("read x"), background("until [ -e over ]; do sleep 0.02; done")}),
                     step({use("wait_background", {{"task_ids", both}, {"mode", "all"}})}, first),
                     step({say("Done.")}, expects({"${other}: [completed]"}))}),
        .config = watchful}};
    const auto task = w.submit("go");
    const auto stalled = w.await_event("job.stalled", task);
    const std::string id{stalled.at("job_id").as_string()};
    CHECK(w.call("POST", "/v1/jobs/" + id + "/kill").status == 200);
    w.release("one");
    while (count(w, "tool.started") < 3)
        CHECK(w.call("GET", "/v1/health").status == 200);
    write_file(w.workspace() + "/over", "");
    check_succeeds(w, task);
}
