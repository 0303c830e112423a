// Bad input over HTTP: each field of a submit wrong in turn, messages, ids, parameters, what is no
// HTTP at all. Each time a clear answer, nothing stored, and a daemon that goes on.
#include "tests/system/surface.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <filesystem>

using namespace agentd::testing;

namespace {

struct bad_body {
    std::string body;
    int status;
    std::string field; // what the problem names; of a part of an object its beginning
};

std::string x_times(std::size_t count)
{
    return std::string(count, 'x');
}

// {"prompt":"x", and this}
std::string with(const std::string& members)
{
    return R"({"prompt":"x",)" + members + "}";
}

std::string numbered(const std::string& name, int count)
{
    std::string members;
    for (int i = 0; i < count; ++i)
        members += (i == 0 ? "\"" : ",\"") + std::string{"K"} + std::to_string(i) + R"(":"v")";
    return "\"" + name + "\":{" + members + "}";
}

std::vector<bad_body> wrong_texts()
{
    return {{R"({})", 422, "prompt"}, {R"({"prompt":null})", 422, "prompt"},
        {R"({"prompt":5})", 422, "prompt"}, {R"({"prompt":""})", 422, "prompt"},
        {R"({"prompt":" \n\t "})", 422, "prompt"}, {R"({"prompt":["x"]})", 422, "prompt"},
        {R"({"prompt":")" + x_times((1U << 20) + 1) + "\"}", 413, "prompt"},
        {with(R"("session_id":5)"), 422, "session_id"},
        {with(R"("session_id":"x")"), 422, "session_id"},
        {with(R"("session_id":"t_aaaaaaaaaa")"), 422, "session_id"},
        {with(R"("session_id":"s_AAAAAAAAAA")"), 422, "session_id"},
        {with(R"("session_id":"s_aaaaaaaaaaa")"), 422, "session_id"},
        {with(R"("session_id":"s_aaaaaaaaaa","workdir":"/tmp")"), 422, "workdir"},
        {with(R"("session_id":"s_aaaaaaaaaa","system":"y")"), 422, "system"},
        {with(R"("workdir":5)"), 422, "workdir"}, {with(R"("workdir":"")"), 422, "workdir"},
        {with(R"("workdir":"here")"), 422, "workdir"},
        {with(R"("workdir":"/nonexistent/here")"), 422, "workdir"},
        {with(R"("workdir":"/etc/passwd")"), 422, "workdir"},
        {with(R"("workdir":"/tmp\u0000/x")"), 422, "workdir"},
        {with(R"("workdir":"/)" + x_times(4095) + "\""), 422, "workdir"},
        {with(R"("system":5)"), 422, "system"}, {with(R"("system":"")"), 422, "system"},
        {with(R"("system":")" + x_times((1U << 20) + 1) + "\""), 413, "system"},
        {with(R"("model":5)"), 422, "model"}, {with(R"("model":"")"), 422, "model"},
        {with(R"("model":")" + x_times(257) + "\""), 422, "model"},
        {with(R"("jobs_at_end":5)"), 422, "jobs_at_end"},
        {with(R"("jobs_at_end":"never")"), 422, "jobs_at_end"}};
}

std::vector<bad_body> wrong_maps()
{
    return {{with(R"("env":5)"), 422, "env"}, {with(R"("env":["A=b"])"), 422, "env"},
        {with(R"("env":{"A":5})"), 422, "env.A"}, {with(R"("env":{"1A":"x"})"), 422, "env.1A"},
        {with(R"("env":{"A=B":"x"})"), 422, "env.A=B"}, {with(R"("env":{"":"x"})"), 422, "env."},
        {with(R"("env":{"AGENTD_X":"y"})"), 422, "env.AGENTD_X"},
        {with(R"("env":{"ANTHROPIC_API_KEY":"y"})"), 422, "env.ANTHROPIC_API_KEY"},
        {with(R"("env":{"A":"x\u0000y"})"), 422, "env.A"},
        {with(R"("env":{"A":")" + x_times((64U << 10) + 1) + "\"}"), 422, "env.A"},
        {with(numbered("env", 65)), 422, "env"}, {with(R"("labels":5)"), 422, "labels"},
        {with(R"("labels":["k"])"), 422, "labels"}, {with(R"("labels":{"k":5})"), 422, "labels.k"},
        {with(R"("labels":{"K":"v"})"), 422, "labels.K"},
        {with(R"("labels":{"":"v"})"), 422, "labels."},
        {with(R"("labels":{")" + x_times(64) + R"(":"v"})"), 422, "labels.x"},
        {with(R"("labels":{"k":")" + x_times(257) + "\"}"), 422, "labels.k"},
        {with(numbered("labels", 17)), 422, "labels"}};
}

std::vector<bad_body> wrong_numbers()
{
    std::vector<bad_body> rows;
    const auto add = [&rows](const std::string& field, std::initializer_list<const char*> values) {
        for (const char* value : values)
            rows.push_back({with("\"" + field + "\":" + value), 422, field});
    };
    add("max_turns", {"0", "-1", "1.5", "\"3\"", "true", "1e9", "1000001", "[]"});
    add("timeout_s", {"-1", "1.5", "\"3\"", "99999999999999999999", "{}"});
    add("budget_usd", {"-1", "\"1\"", "1e300", "true", "1"}); // 1: the model has no price here
    add("max_tokens_total", {"0", "-5", "\"x\"", "1.5"});
    add("priority", {"101", "-101", "0.5", "\"high\""});
    rows.push_back({R"({"prompt":"x","promt":"y"})", 422, "promt"});
    rows.push_back({R"({"prompt":"x","id":"t_aaaaaaaaaa"})", 422, "id"});
    return rows;
}

// What is no JSON object at all: 400, no field.
std::vector<bad_body> no_objects()
{
    std::vector<bad_body> rows;
    for (const std::string body : {"", "null", "[]", "\"x\"", "5", "{", "{}x", "{\"prompt\":}",
             "{'prompt':'x'}", R"({"prompt":"x",})", R"({"prompt":NaN})", "{\"prompt\":\"\xff\"}",
             R"({"prompt":"\ud800"})", R"({"prompt":"a","prompt":"b"})", "\xEF\xBB\xBF{}",
             "{\"prompt\":\"a\nb\"}"})
        rows.push_back({body, 400, ""});
    rows.push_back(
        {with("\"labels\":" + std::string(5000, '[') + std::string(5000, ']')), 400, ""});
    return rows;
}

void expect_refused(http_client& client, const std::string& target, const bad_body& row)
{
    const auto reply = client.call("POST", target, row.body);
    const auto shown = row.body.substr(0, 120);
    CHECK_MESSAGE(reply.status == row.status, shown << ": " << reply.status << " " << reply.body);
    CHECK_MESSAGE(!problem_of(reply).empty(), shown << ": " << reply.body);
    CHECK_MESSAGE(field_of(reply).starts_with(row.field), shown << ": " << reply.body);
    CHECK_MESSAGE(reply.body.size() < 4096, shown << " is told at length");
    CHECK(client.call("GET", "/v1/health").status == 200);
}

} // namespace

TEST_CASE("bad input: each field of a submit wrong in turn is refused by its name")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    auto client = w.connect();
    for (const auto& rows : {wrong_texts(), wrong_maps(), wrong_numbers(), no_objects()})
        for (const auto& row : rows)
            expect_refused(client, "/v1/tasks", row);
    CHECK(w.json(200, "GET", "/v1/tasks").at("items").as_array().empty());
    CHECK(w.json(200, "GET", "/v1/sessions").at("items").as_array().empty());
    CHECK(std::filesystem::is_empty(w.state_folder() + "/workspaces"));
    CHECK(w.requests().empty());
    CHECK(w.ended(w.submit("greet")).at("state").as_string() == "succeeded");
}

TEST_CASE("bad input: messages and keys")
{
    world w{{.scenario = scenario(
                 {conversation("hold", {step({say("x")}, {{"reply", {{"hold", "h"}}}})})})}};
    const auto task = w.submit("hold it");
    const auto path = "/v1/tasks/" + task + "/messages";
    auto client = w.connect();
    for (const bad_body& row :
        std::vector<bad_body>{{"{}", 422, "text"}, {R"({"text":5})", 422, "text"},
            {R"({"text":""})", 422, "text"}, {R"({"text":"  "})", 422, "text"},
            {R"({"text":"x","more":1})", 422, "more"}, {"[]", 400, ""}, {"", 400, ""}})
        expect_refused(client, path, row);
    for (const std::string& key : {x_times(256), std::string{"two words"}, std::string{"\xc3\xa4"}})
        for (const auto& target : {path, std::string{"/v1/tasks"}}) {
            const auto reply =
                client.call("POST", target, R"({"text":"x"})", {{"Idempotency-Key", key}});
            CHECK(reply.status == 422);
            CHECK(field_of(reply) == "Idempotency-Key");
        }
    CHECK(w.events("&types=message.received").empty());
    CHECK(w.call("POST", "/v1/tasks/" + task + "/cancel").status == 202);
}

TEST_CASE("bad input: what is no id is 400, what is nobody's 404")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    std::vector<call_row> rows;
    for (const std::string id : {"x", "t_a", "T_AAAAAAAAAA", "%2e%2e%2f%2e%2e", "t_aaaa%25", "*",
             "t_aaaa%20", "t_aaaa'--", "%F0%9F%90%99%F0%9F%90%99"})
        rows.push_back({"GET", "/v1/tasks/" + id, 400, "bad_id"});
    for (const std::string id : {"t_aaaaaaaaaa", "s_aaaaaaaaaa", "t_aaaa", "0000", "____"})
        for (const std::string kind : {"tasks/", "sessions/", "jobs/"})
            rows.push_back({"GET", "/v1/" + kind + id, 404, "not_found"});
    rows.push_back({"GET", "/v1/tasks/" + x_times(4000), 404, "not_found"});
    for (const std::string broken : {"%", "%0", "%zz", "%00", "%ff", "t_aaaa%0"})
        expect_all(w, {{"GET", "/v1/tasks/" + broken, 400, "malformed_http"}}); // then it closes
    expect_all(w, rows);
}

TEST_CASE("bad input: query parameters are refused by their names")
{
    world w{{.scenario = scenario({conversation("build",
                 {step({background("echo x")}), step({say("I wait.")}), step({say("Built.")})})})}};
    const auto task = w.submit("build it");
    w.ended(task);
    const auto wait = "/v1/tasks/" + task + "/wait",
               output = "/v1/jobs/" + jobs_of(w, task).at(0) + "/output";
    const std::vector<std::pair<std::string, std::string>> rows{{"/v1/tasks?limit=0", "limit"},
        {"/v1/tasks?limit=201", "limit"}, {"/v1/tasks?limit=x", "limit"},
        {"/v1/tasks?limit=", "limit"}, {"/v1/tasks?limit=1&limit=2", "limit"},
        {"/v1/tasks?limit=-1", "limit"}, {"/v1/tasks?limit=1e1", "limit"},
        {"/v1/tasks?limit=99999999999999999999", "limit"}, {"/v1/tasks?state=purple", "state"},
        {"/v1/tasks?state=queued,purple", "state"}, {"/v1/tasks?label=novalue", "label"},
        {"/v1/tasks?label=K%3Dv", "label"}, {"/v1/tasks?colour=red", "colour"},
        {"/v1/jobs?state=waiting", "state"}, {"/v1/sessions?limit=0", "limit"},
        {wait + "?timeout_s=-1", "timeout_s"}, {wait + "?timeout_s=601", "timeout_s"},
        {wait + "?timeout_s=soon", "timeout_s"}, {output + "?offset=-1", "offset"},
        {output + "?limit=0", "limit"}, {output + "?tail_lines=x", "tail_lines"},
        {output + "?tail_lines=1&offset=1", "tail_lines"}, {output + "?follow=maybe", "follow"},
        {"/v1/events?after=-1", "after"}, {"/v1/events?after=yesterday", "after"},
        {"/v1/events?limit=0", "limit"}, {"/v1/events?follow=maybe", "follow"},
        {"/v1/events?after=1&after=2", "after"}};
    for (const auto& [target, field] : rows) {
        const auto reply = w.call("GET", target);
        CHECK_MESSAGE(reply.status == 400, target << ": " << reply.status << " " << reply.body);
        CHECK_MESSAGE(field_of(reply) == field, target << ": " << reply.body);
    }
    const auto seen = w.call("GET", "/v1/events", {}, {{"Last-Event-ID", "x"}});
    CHECK(seen.status == 400);
    CHECK(field_of(seen) == "Last-Event-ID");
    CHECK(w.connect().call("GET", "/v1/tasks?state=%zz").status == 400);
}

TEST_CASE("bad input: unknown paths are 404, other methods 405 with those there are")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    std::vector<call_row> rows;
    for (const std::string path : {"/", "/v1", "/v1/", "/v2/tasks", "/v1/tasks/", "/v1//tasks",
             "/v1/Tasks", "/v1/tasks/t_aaaa/kill", "/v1/tasks/t_aaaa/wait/longer",
             "/v1/jobs/abcd/cancel", "/metrics/x", "/../v1/health", "/v1/health%2f"})
        rows.push_back({"GET", path, 404, "unknown_path"});
    for (const std::string method : {"PUT", "PATCH", "DELETE", "OPTIONS"})
        rows.push_back({method, "/v1/tasks", 405, "method_not_allowed"});
    rows.push_back({"DELETE", "/v1/tasks/t_aaaa", 405, "method_not_allowed"});
    rows.push_back({"POST", "/v1/health", 405, "method_not_allowed"});
    rows.push_back({"GET", "/v1/tasks/t_aaaa/cancel", 405, "method_not_allowed"});
    rows.push_back({"BREW", "/v1/tasks", 405, "method_not_allowed"});
    expect_all(w, rows);
    const auto put = w.call("PUT", "/v1/tasks");
    CHECK(put.header("Allow").find("GET") != std::string::npos);
    CHECK(put.header("Allow").find("POST") != std::string::npos);
    auto client = w.connect();
    client.send_raw("HEAD /v1/tasks HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.read_reply("HEAD").status == 405);
    CHECK(w.call("GET", "/v1/health").status == 200);
}
