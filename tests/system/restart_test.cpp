// What survives the end of the daemon, orderly or not: everything that was answered, with each
// loss told once, and nothing done twice.
#include "tests/support/harness/paths.hpp"
#include "tests/system/evidence.hpp"
#include "tests/system/observer.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

using namespace agentd::testing;

namespace {

js::object expect(js::object what)
{
    js::object more;
    more["expect"] = std::move(what);
    return more;
}

// A tool that runs, a request in flight, a task that waits for two jobs: what each is told
// when the daemon has ended by SIGTERM or SIGKILL.
std::string three_kinds(std::string_view tool_error, std::string_view job_end)
{
    const js::value cut{{"is_error", true}, {"contains", tool_error}};
    js::object wait = {{"capture", {{"id", "Background task ([0-9a-f]{8})"}}}};
    const auto entry = "[bg:${id}] " + std::string{job_end};
    return scenario({interrupted("tool",
                         {step({use("bash", {{"command", "echo x >> ran; sleep 20"}})}),
                             step({say("Cut.")}, expect({{"tool_results", js::array{cut}}})),
                             step({say("Next.")})}),
        interrupted("flight",
            {step({say("Never.")}, {{"reply", {{"hold", "ever"}}}}), step({say("Whole.")})}),
        interrupted("wait",
            {step({background("sleep 20"), background("sleep 20")}),
                step({say("I wait.")}, std::move(wait)),
                step({say("Told.")},
                    expect({{"history_once", js::array{entry, "<background-results>"}}}))})});
}

void end_in_the_middle(int signal, std::string_view tool_error, std::string_view job_end)
{
    world w{{.scenario = three_kinds(tool_error, job_end)}};
    const auto tool = w.submit("tool");
    const auto behind = w.submit("behind it", {{"session_id", session_of(w, tool)}});
    const auto flight = w.submit("flight");
    const auto waits = w.submit("wait");
    w.await_event("tool.started", tool);
    w.await_event("task.waiting", waits);
    w.await_model("held=ever");
    while (read_file(w.workspace() + "/ran").empty())
        CHECK(w.call("GET", "/v1/health").status == 200);
    const auto last = w.submit("flight, the last"); // answered, so it is kept
    CHECK(w.stop_daemon(signal) == (signal == SIGKILL ? 128 + SIGKILL : 0));
    w.start_daemon();
    CHECK(w.ended(tool).at("result").as_string() == "Cut.");
    CHECK(w.ended(behind).at("result").as_string() == "Next.");
    CHECK(w.ended(flight).at("result").as_string() == "Whole.");
    CHECK(w.ended(waits).at("result").as_string() == "Told.");
    w.release("ever"); // the last one may not have asked before the end
    CHECK(state_of(w.ended(last)) == "succeeded");
    CHECK(read_file(w.workspace() + "/ran") == "x\n"); // was not run again
    for (const auto& job : jobs_in(w, session_of(w, waits)))
        CHECK(state_of(job) == (signal == SIGKILL ? "lost" : "killed"));
    check_told_once(w, {session_of(w, waits)});
    check_ends(w, {tool, behind, flight, waits, last});
    check_gapless(w);
    w.check_model_content();
}

// A second daemon, which has to refuse: its stderr.
std::string refused(world& w, const std::string& socket, const std::string& state)
{
    program second;
    second.argv = {agentd_path, "--config", w.folder() + "/agentd.toml", "--socket", socket,
        "--state-dir", state};
    second.env = {{"PATH", "/usr/bin:/bin"}, {"HOME", w.folder()}};
    second.stderr_file = w.folder() + "/second.err";
    process running{second};
    const auto code = running.wait(patience());
    CHECK(code.value_or(0) == 1);
    return read_file(second.stderr_file);
}

} // namespace

TEST_CASE("restart: an orderly stop: each open task goes on once and is told what was stopped")
{
    end_in_the_middle(SIGTERM, "agentd was stopped", "killed by shutdown");
}

TEST_CASE("restart: a SIGKILL: jobs are lost, calls cut off, and each task reaches its end")
{
    end_in_the_middle(SIGKILL, "cut off when agentd ended", "lost: ");
}

TEST_CASE("restart: killed at any moment, nothing that was answered is lost or told twice")
{
    world w{{.scenario = scenario({interrupted("work",
                 {step({use("bash", {{"command", "echo one"}}), background("echo two"),
                      background("sleep 0.05")}),
                     step({use("bash", {{"command", "sleep 0.02"}})}), step({say("Fine.")})})}),
        .config = "wake_window_ms = 10\n"}};
    std::vector<std::string> tasks;
    for (int round = 0; round < 8; ++round) {
        std::vector<std::string> these;
        for (int i = 0; i < 3; ++i)
            these.push_back(w.submit("work " + std::to_string(round) + "." + std::to_string(i)));
        these.push_back(w.submit("more", {{"session_id", session_of(w, these.back())}}));
        for (int i = 0; i < round * 5; ++i)
            CHECK(w.call("GET", "/v1/health").status == 200);
        CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
        w.start_daemon();
        for (const auto& task : these)
            CHECK_MESSAGE(state_of(w.ended(task)) == "succeeded", js::serialize(w.task(task)));
        tasks.insert(tasks.end(), these.begin(), these.end());
    }
    std::vector<std::string> sessions;
    for (const auto& task : tasks)
        sessions.push_back(session_of(w, task));
    check_told_once(w, sessions);
    check_ends(w, tasks);
    check_gapless(w);
    w.check_model_content();
}

TEST_CASE("restart: a cancel that was answered holds, and the next prompt says so")
{
    world w{{.scenario = scenario({interrupted("long",
                 {step({say("Never.")}, {{"reply", {{"hold", "ever"}}}}),
                     step({say("After.")},
                         expect({{"contains_in_order",
                             js::array{"long", "cancelled; do not go on with it", "next"}}}))})})}};
    const auto task = w.submit("long");
    w.await_model("held=ever");
    w.json(202, "POST", "/v1/tasks/" + task + "/cancel");
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    w.start_daemon();
    CHECK(state_of(w.ended(task)) == "cancelled");
    const auto next = w.submit("next", {{"session_id", session_of(w, task)}});
    CHECK(w.ended(next).at("result").as_string() == "After.");
    check_ends(w, {task, next});
    w.check_model_content();
}

TEST_CASE("restart: idle sessions, their transcripts and events survive, and nothing wakes them")
{
    world w{{.scenario = scenario({interrupted("note",
                 {step({use("bash", {{"command", "echo kept"}})}), step({say("Noted.")})})})}};
    const auto task = w.submit("note this", {{"labels", {{"kind", "idle"}}}});
    const auto before = w.ended(task);
    const auto session = session_of(w, task);
    const auto told = conversation_of(w, session);
    for (const int signal : {SIGTERM, SIGKILL}) {
        static_cast<void>(w.stop_daemon(signal));
        w.start_daemon();
        CHECK(w.task(task) == before);
        CHECK(conversation_of(w, session) == told);
        const auto now = w.json(200, "GET", "/v1/sessions/" + session);
        CHECK(now.at("state").as_string() == "idle");
    }
    CHECK(w.requests().size() == 2);
    CHECK(count_events(w.events(), "daemon.started") == 3);
    CHECK(count_events(w.events(), "daemon.stopping") == 1);
    check_gapless(w);
    const auto more = w.submit("and more", {{"session_id", session}});
    CHECK(state_of(w.ended(more)) == "succeeded");
}

TEST_CASE("restart: a second daemon on the same state or socket says who is there, and goes")
{
    world w{{.scenario = scenario({interrupted("any", {step({say("Hello.")})})})}};
    const auto pid = "process " + std::to_string(w.daemon().pid());
    const auto state = refused(w, w.folder() + "/other", w.state_folder());
    CHECK_MESSAGE(state.find("state folder") != std::string::npos, state);
    CHECK_MESSAGE(state.find("used by another agentd (" + pid) != std::string::npos, state);
    ::unlink((w.folder() + "/second.err").c_str());
    const auto socket = refused(w, w.socket(), w.folder() + "/other-state");
    CHECK_MESSAGE(socket.find("another daemon serves " + w.socket()) != std::string::npos, socket);
    CHECK(w.call("GET", "/v1/health").status == 200);
    CHECK(w.connect().call("GET", "/v1/health").status == 200); // its socket is still there
    static_cast<void>(w.stop_daemon(SIGKILL));                  // leaves the socket behind
    w.start_daemon();
    CHECK(w.connect().call("GET", "/v1/health").status == 200);
}

namespace {

// How many processes have this word in their command line: an observer that shares no means
// with the killing.
std::size_t commands_with(const std::string& word)
{
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        auto line = read_file(entry.path() / "cmdline");
        std::ranges::replace(line, '\0', ' ');
        found += line.find(word) != std::string::npos ? 1 : 0;
    }
    return found;
}

} // namespace

TEST_CASE("restart: what a killed daemon's commands left running is dead before it serves again")
{
    // One in a session of its own with an empty environment: found by its mark alone.
    world w{{.scenario = scenario({interrupted("leave",
                 {step({background("env -i setsid sleep 4711.25 & sleep 4711.25; true"),
                      use("bash", {{"command", "sleep 4711.25; true"}})}),
                     step({say("Told.")})})})}};
    const auto task = w.submit("leave them");
    while (commands_with("sleep 4711.25") < 5) // two shells, three sleeps
        w.await_event("tool.started", task);
    CHECK(::kill(watcher_of(w.daemon().pid()), SIGKILL) == 0); // else nobody is left to find
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    REQUIRE(commands_with("sleep 4711.25") >= 3); // else this test shows nothing
    w.start_daemon();
    CHECK(commands_with("sleep 4711.25") == 0);
    CHECK(w.log().find("jobs.leftover") != std::string::npos);
    CHECK(state_of(w.ended(task)) == "succeeded");
}

TEST_CASE("restart: a prompt that joined an unanswered message is told once")
{
    world w{{.scenario = scenario({interrupted("first",
                 {step({say("never")}, {{"reply", {{"hold", "one"}}}}),
                     step({say("never")}, {{"reply", {{"hold", "two"}}}}),
                     step({say("Second done.")}, expect({{"history_once", "second wish"}}))})})}};
    const auto first = w.submit("first wish");
    w.await_model("held=one");
    w.json(202, "POST", "/v1/tasks/" + first + "/cancel");
    CHECK(state_of(w.ended(first)) == "cancelled");
    const auto second = w.submit("second wish", {{"session_id", w.task(first).at("session_id")}});
    w.await_model("held=two");
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    w.start_daemon();
    CHECK(w.ended(second).at("result") == "Second done.");
    w.check_model_content();
}
