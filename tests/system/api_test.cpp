// Every call of the local API with every status that proto/openapi.yaml gives it. What goes over
// the socket is recorded; scripts/check-openapi holds all of it to that file afterwards.
#include "tests/system/surface.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <set>

using namespace agentd::testing;

namespace {

constexpr std::string_view no_task = "t_aaaaaaaaaa", no_session = "s_aaaaaaaaaa",
                           no_job = "0000beef";

std::string three_lines_scenario()
{
    return scenario(
        {conversation("build",
             {step({background("printf 'one\\ntwo\\nthree\\n'; exec sleep 600")}),
                 step({say("I wait.")}), step({say("Built.")})}),
            conversation("hold",
                {step({say("Held.")}, {{"reply", {{"hold", "h"}}}}), step({say("Done.")})})},
        hello_to_all());
}

std::string session_of(world& w, const std::string& task)
{
    return std::string{w.task(task).at("session_id").as_string()};
}

std::string json_text(std::string_view field, std::string_view value)
{
    js::object body;
    body[field] = value;
    return js::serialize(body);
}

// All that answers with an id: that it is none, that there is no such, that several begin so.
void expect_id_errors(world& w, const std::string& method, const std::string& before,
    const std::string& after, std::string_view missing, const std::string& ambiguous,
    const std::string& body = {})
{
    const bool in_query = before.find('?') != std::string::npos;
    expect_all(w,
        {{method, before + "x" + after, 400, in_query ? "invalid_parameter" : "bad_id", body},
            {method, before + std::string{missing} + after, 404, "not_found", body}});
    auto client = w.connect();
    const auto several =
        expect(client, {method, before + ambiguous + after, 409, "ambiguous_id", body});
    if (several.status == 409)
        CHECK(js::parse(several.body).at("candidates").as_array().size() == 2);
}

} // namespace

TEST_CASE("api: every call that looks answers 200 while a task works and after it has ended")
{
    world w{{.scenario = three_lines_scenario()}};
    const auto task = w.submit("build it", {{"labels", {{"ticket", "4711"}}}});
    w.await_event("task.waiting", task);
    const auto session = session_of(w, task);
    const auto job = jobs_of(w, task).at(0);
    auto reader = w.connect(); // until all of it is there
    REQUIRE(reader.open_stream("/v1/jobs/" + job + "/output?follow=1").status == 200);
    for (const char* line : {"one", "two", "three"})
        CHECK(reader.next_line(patience()) == line);
    expect_all(w,
        {{"GET", "/v1/tasks"},
            {"GET",
                "/v1/tasks?state=waiting,running&state=queued&session_id=" + session +
                    "&label=ticket%3D4711&limit=5"},
            {"GET", "/v1/tasks/" + task}, {"GET", "/v1/tasks/" + task.substr(0, 8)},
            {"GET", "/v1/tasks/" + task + "/wait?timeout_s=0"}, {"GET", "/v1/sessions?limit=1"},
            {"GET", "/v1/sessions/" + session},
            {"GET", "/v1/sessions/" + session + "/messages?after=1&limit=2"},
            {"GET", "/v1/sessions/" + session + "/export"},
            {"GET", "/v1/jobs?state=running&task_id=" + task + "&session_id=" + session},
            {"GET", "/v1/jobs/" + job}, {"GET", "/v1/jobs/" + job + "/output"},
            {"GET", "/v1/health"}, {"GET", "/v1/info"}, {"GET", "/metrics"},
            {"GET", "/v1/events?limit=3&types=task.*,job.started&session_id=" + session},
            {"GET", "/v1/events?after=now"},
            {"DELETE", "/v1/sessions/" + session, 409, "session_busy"},
            {"POST", "/v1/sessions/import", 422, "invalid_field"},
            {"POST", "/v1/jobs/" + job + "/input", 409, "no_input"}});
    CHECK(w.call("GET", "/v1/jobs/" + job + "/output?offset=4&limit=3").body == "two");
    CHECK(w.call("GET", "/v1/jobs/" + job + "/output?tail_lines=2").body == "two\nthree\n");
    const auto killed = w.json(200, "POST", "/v1/jobs/" + job + "/kill");
    CHECK(killed.at("state").as_string() == "killed");
    CHECK(killed.at("by").as_string() == "user");
    CHECK(w.ended(task).at("state").as_string() == "succeeded");
    expect_all(w,
        {{"POST", "/v1/jobs/" + job + "/kill"}, {"POST", "/v1/tasks/" + task + "/cancel"},
            {"POST", "/v1/tasks/" + task + "/messages", 409, "task_ended", json_text("text", "x")},
            {"GET", "/v1/jobs/" + job + "/output?follow=1"},
            {"GET", "/v1/events?follow=1&task_id=" + task},
            {"DELETE", "/v1/sessions/" + session, 204},
            {"GET", "/v1/sessions/" + session, 404, "not_found"}});
}

TEST_CASE("api: the history is told as lines or as server-sent events, from where one was")
{
    world w{{.scenario = three_lines_scenario()}};
    const auto task = w.submit("greet");
    w.ended(task);
    const auto lines = w.events("&task_id=" + task);
    REQUIRE(lines.size() > 2);
    CHECK(lines.back().at("type").as_string() == "task.finished");
    const auto second = std::to_string(lines.at(1).at("seq").as_int64());
    const auto sse = w.call("GET", "/v1/events?follow=1&task_id=" + task, {},
        {{"Accept", "text/event-stream"}, {"Last-Event-ID", second}});
    CHECK(sse.status == 200);
    CHECK(sse.header("Content-Type").starts_with("text/event-stream"));
    CHECK(sse.body.find("id: " + second + "\n") == std::string::npos);
    CHECK(sse.body.find("\"type\":\"task.finished\"") != std::string::npos);
    expect_all(w,
        {{"GET", "/v1/events?after=999999", 400, "cursor_ahead"},
            {"GET", "/v1/events?task_id=" + std::string{no_task}, 404, "not_found"}});
}

TEST_CASE("api: a task is cancelled, steered, and told once however often the same key comes")
{
    world w{{.scenario = three_lines_scenario()}};
    const auto task = w.submit("hold it");
    w.await_model("held=h");
    const headers key{{"Idempotency-Key", "k-1"}};
    const auto path = "/v1/tasks/" + task + "/messages";
    auto client = w.connect();
    const auto first = expect(client, {"POST", path, 202, "", json_text("text", "Hurry."), key});
    const auto again = expect(client, {"POST", path, 202, "", json_text("text", "Hurry."), key});
    CHECK(first.body == again.body);
    CHECK(first.header("Location") == "/v1/tasks/" + task);
    expect(client, {"POST", path, 422, "key_reused", json_text("text", "Other."), key});
    CHECK(w.events("&types=message.received").size() == 1);
    expect(client, {"POST", "/v1/tasks/" + task + "/cancel", 422, "invalid_field", R"({"x":1})"});
    expect(client, {"POST", "/v1/tasks/" + task + "/cancel", 202, ""});
    CHECK(w.ended(task).at("state").as_string() == "cancelled");
    expect(client, {"POST", "/v1/tasks/" + task + "/cancel", 200, ""});
    js::object order{{"prompt", "greet"}, {"workdir", w.workspace()}};
    const auto made = expect(client, {"POST", "/v1/tasks", 202, "", js::serialize(order), key});
    CHECK(expect(client, {"POST", "/v1/tasks", 202, "", js::serialize(order), key}).body ==
        made.body);
    order["priority"] = 1;
    expect(client, {"POST", "/v1/tasks", 422, "key_reused", js::serialize(order), key});
}

TEST_CASE("api: ids that are none, that are nobody's and that several things begin with")
{
    world w{{.scenario = scenario(
                 {conversation("build",
                     {step({background("echo a"), background("echo b")}), step({say("I wait.")}),
                         step({say("Built.")}), step({say("Built.")})})},
                 hello_to_all())}};
    const auto first = w.submit("build it"), second = w.submit("greet");
    w.ended(first);
    w.ended(second);
    const auto jobs = jobs_of(w, first);
    CHECK(w.stop_daemon(SIGTERM) == 0);
    const auto rename = [](const std::string& table, const std::string& from,
                            const std::string& to) {
        return "UPDATE " + table + " SET id='" + to + "' WHERE id='" + from + "';";
    };
    edit_state(w,
        rename("jobs", jobs.at(0), "abcd0001") + rename("jobs", jobs.at(1), "abcd0002") +
            rename("tasks", first, "t_zzzzzzzzz2") + rename("tasks", second, "t_zzzzzzzzz3") +
            "UPDATE sessions SET id='s_zzzzzzzzz' || (n + 1);"
            "DELETE FROM events WHERE seq < 4;");
    w.start_daemon();
    const auto text = json_text("text", "x");
    expect_id_errors(w, "GET", "/v1/tasks/", "", no_task, "t_zz");
    expect_id_errors(w, "GET", "/v1/tasks/", "/wait?timeout_s=0", no_task, "t_zz");
    expect_id_errors(w, "POST", "/v1/tasks/", "/cancel", no_task, "t_zz");
    expect_id_errors(w, "POST", "/v1/tasks/", "/messages", no_task, "t_zz", text);
    for (const char* after : {"", "/messages", "/export"})
        expect_id_errors(w, "GET", "/v1/sessions/", after, no_session, "s_zz");
    expect_id_errors(w, "DELETE", "/v1/sessions/", "", no_session, "s_zz");
    expect_id_errors(w, "GET", "/v1/jobs/", "", no_job, "abcd");
    expect_id_errors(w, "GET", "/v1/jobs/", "/output", no_job, "abcd");
    expect_id_errors(w, "POST", "/v1/jobs/", "/kill", no_job, "abcd");
    expect_id_errors(w, "GET", "/v1/tasks?session_id=", "", no_session, "s_zz");
    expect_id_errors(w, "GET", "/v1/jobs?session_id=", "", no_session, "s_zz");
    expect_id_errors(w, "GET", "/v1/events?task_id=", "", no_task, "t_zz");
    expect_all(w,
        {{"POST", "/v1/tasks", 404, "not_found", R"({"prompt":"x","session_id":"s_aaaaaaaaaa"})"},
            {"POST", "/v1/tasks", 409, "ambiguous_id", R"({"prompt":"x","session_id":"s_zz"})"},
            {"POST", "/v1/jobs/abcd0001/kill", 422, "invalid_field", R"({"x":1})"}});
    auto client = w.connect();
    const auto gone = expect(client, {"GET", "/v1/events?after=1", 410, "events_gone"});
    CHECK(js::parse(gone.body).at("oldest_seq").to_number<int>() == 4);
}

TEST_CASE("api: each call says which parameter it does not have")
{
    world w{{.scenario = three_lines_scenario()}};
    std::vector<call_row> rows;
    for (const std::string path : {"/v1/tasks", "/v1/sessions", "/v1/jobs", "/v1/events",
             "/v1/health", "/v1/info", "/metrics", "/v1/tasks/t_aaaa/wait", "/v1/jobs/abcd/output",
             "/v1/sessions/s_aaaa/messages", "/v1/sessions/s_aaaa/export"})
        rows.push_back({"GET", path + "?colour=red", 400, "invalid_parameter"});
    expect_all(w, rows);
}

TEST_CASE("api: full queues are 429 and say when to come again")
{
    world w{{.scenario = three_lines_scenario(),
        .config = "limits.running_tasks = 1\nlimits.queued_tasks = 2\nlimits.sessions = 4\n"}};
    const auto running = w.submit("hold it");
    w.await_model("held=h");
    const auto queued = w.submit("greet");
    const auto urgent = w.submit("greet", {{"priority", 7}});
    auto client = w.connect();
    const auto refused =
        expect(client, {"POST", "/v1/tasks", 429, "too_many_tasks", R"({"prompt":"x"})"});
    CHECK(!refused.header("Retry-After").empty());
    const auto path = "/v1/tasks/" + queued + "/messages";
    for (int i = 0; i < 100; ++i)
        REQUIRE(
            client.call("POST", path, json_text("text", "m" + std::to_string(i))).status == 202);
    const auto full =
        expect(client, {"POST", path, 429, "too_many_messages", json_text("text", "one more")});
    CHECK(!full.header("Retry-After").empty());
    w.release("h");
    w.ended(running);
    CHECK(w.ended(queued).at("state").as_string() == "succeeded");
    const auto started = w.events("&types=task.started");
    REQUIRE(started.size() == 3);
    CHECK(started[1].at("task_id").as_string() == urgent); // its priority is higher

    CHECK(w.ended(w.submit("greet")).at("state").as_string() == "succeeded"); // the fourth session
    const auto none =
        expect(client, {"POST", "/v1/tasks", 429, "too_many_sessions", R"({"prompt":"x"})"});
    CHECK(!none.header("Retry-After").empty());
    const auto session = std::string{w.task(queued).at("session_id").as_string()};
    w.ended(w.submit("greet", {{"session_id", session}}));
    CHECK(client.call("DELETE", "/v1/sessions/" + session).status == 204);
    CHECK(w.stop_daemon(SIGTERM) == 0);
    w.start_daemon(); // which counts anew
    CHECK(w.ended(w.submit("greet")).at("state").as_string() == "succeeded");
    auto another = w.connect();
    expect(another, {"POST", "/v1/tasks", 429, "too_many_sessions", R"({"prompt":"x"})"});
    auto importer = w.connect();
    expect(importer, {"POST", "/v1/sessions/import", 429, "too_many_sessions", "{}"});
}

TEST_CASE("api: texts beyond their bound are 413")
{
    world w{{.scenario = three_lines_scenario()}};
    const auto task = w.submit("hold it");
    w.await_model("held=h");
    const std::string large((1U << 20) + 1, 'x');
    expect_all(w,
        {{"POST", "/v1/tasks", 413, "too_large", json_text("prompt", large)},
            {"POST", "/v1/tasks/" + task + "/messages", 413, "too_large",
                json_text("text", large)}});
}

TEST_CASE("api: a daemon that stops takes nothing new and still shows and cancels")
{
    world w{
        {.scenario = scenario(
             {conversation("build",
                 {step({background("trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done")}),
                     step({say("I wait.")})})},
             hello_to_all()),
            .config = "jobs.grace_s = 45\n"}};
    const auto task = w.submit("build it");
    w.await_event("task.waiting", task);
    std::string pid;
    while ((pid = read_file(w.workspace() + "/pid")).empty() || pid.back() != '\n')
        w.call("GET", "/v1/health");
    auto client = w.connect(), follower = w.connect(), importer = w.connect();
    REQUIRE(
        follower.open_stream("/v1/events?after=now&follow=1&types=daemon.stopping").status == 200);
    expect(client, {"GET", "/v1/health"});
    w.daemon().signal(SIGTERM);
    REQUIRE(follower.next_line(patience()));
    const auto refused =
        expect(client, {"POST", "/v1/tasks", 503, "draining", R"({"prompt":"x"})"});
    CHECK(!refused.header("Retry-After").empty());
    expect(client,
        {"POST", "/v1/tasks/" + task + "/messages", 503, "draining", json_text("text", "x")});
    expect(importer, {"POST", "/v1/sessions/import", 503, "draining", "{}"});
    CHECK(js::parse(expect(client, {"GET", "/v1/health"}).body).at("status").as_string() ==
        "draining");
    expect(client, {"GET", "/v1/tasks/" + task});
    ::kill(static_cast<pid_t>(number_at(pid, 0)), SIGKILL);
    CHECK(w.daemon().wait(patience()) == 0);
}
