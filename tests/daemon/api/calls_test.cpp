#include "proto/api/json.hpp"
#include "tests/daemon/api/running_api.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace agentd;
using namespace std::chrono_literals;
using session::errc;
using testing::header_list;
using testing::running_api;

namespace {

const std::string submit_body{R"({"prompt":"build it"})"};
const std::string task_path{"/v1/tasks/t_abcdefghij"};
const std::string session_path{"/v1/sessions/s_abcdefghij"};
const std::string job_path{"/v1/jobs/1f3a9c02"};

struct row {
    std::string method, target, body;
    int status;
    std::string problem;
};

void check(const running_api& api, const row& r)
{
    CAPTURE(r.method);
    CAPTURE(r.target);
    CAPTURE(r.body.substr(0, 100));
    const auto answer = api.call(r.method, r.target, r.body);
    CHECK(answer.status == r.status);
    CHECK(answer.problem() == r.problem);
}

} // namespace

TEST_CASE("submit: 202 with the task and its place; the key goes with it")
{
    running_api api;
    const auto answer =
        api.call("POST", "/v1/tasks", submit_body, header_list{{"Idempotency-Key", "k-1"}});
    CHECK(answer.status == 202);
    CHECK(answer.header("location") == "/v1/tasks/t_abcdefghij");
    const auto task = proto::api::read_task(answer.body);
    REQUIRE(task);
    CHECK(task->state == proto::api::task_state::queued);
    REQUIRE(api.service.last_key);
    CHECK(api.service.last_key->key == "k-1");
    CHECK(api.service.last_key->path == "/v1/tasks");
    const std::string hash = api.service.last_key->body_hash;
    CHECK(hash.size() == 64);
    CHECK(api.call("POST", "/v1/tasks", submit_body).status == 202);
    CHECK_FALSE(api.service.last_key);
    api.call("POST", "/v1/tasks", R"({"prompt":"else"})", {{"Idempotency-Key", "k-1"}});
    CHECK(api.service.last_key->body_hash != hash);
    CHECK(api.service.last_caller.sees_all);
}

TEST_CASE("submit: bad bodies and keys are refused by name")
{
    running_api api;
    const auto wrong = api.call("POST", "/v1/tasks", R"({"prompt":"p","max_turns":0})");
    CHECK(wrong.status == 422);
    CHECK(wrong.problem() == "invalid_field");
    const auto problem = proto::api::read_problem(wrong.body);
    REQUIRE(problem);
    CHECK(problem->field == "max_turns");
    check(api, {"POST", "/v1/tasks", "", 400, "malformed_json"});
    check(api, {"POST", "/v1/tasks", "{", 400, "malformed_json"});
    check(api,
        {"POST", "/v1/tasks", fmt::format(R"({{"prompt":"{}"}})", std::string((1U << 20) + 1, 'x')),
            413, "too_large"});
    check(api, {"POST", "/v1/tasks?x=1", submit_body, 400, "invalid_parameter"});
    for (const std::string& key : {std::string{}, std::string{"a b"}, std::string(256, 'k')}) {
        const auto bad = api.call("POST", "/v1/tasks", submit_body, {{"Idempotency-Key", key}});
        CHECK(bad.status == 422);
        CHECK(proto::api::read_problem(bad.body)->field == "Idempotency-Key");
    }
}

TEST_CASE("every call that finds its thing")
{
    running_api api;
    api.service.output = "hello";
    const row rows[] = {
        {"GET", "/v1/tasks", "", 200, ""},
        {"GET", task_path, "", 200, ""},
        {"GET", task_path + "/wait?timeout_s=0", "", 200, ""},
        {"POST", task_path + "/cancel", "", 202, ""},
        {"POST", task_path + "/cancel", "{}", 202, ""},
        {"POST", task_path + "/messages", R"({"text":"faster"})", 202, ""},
        {"GET", "/v1/sessions", "", 200, ""},
        {"GET", session_path, "", 200, ""},
        {"GET", session_path + "/messages", "", 200, ""},
        {"GET", session_path + "/export", "", 200, ""},
        {"DELETE", session_path, "", 204, ""},
        {"POST", "/v1/sessions/import", "", 201, ""},
        {"POST", "/v1/sessions/import?workdir=/w", "", 201, ""},
        {"POST", "/v1/sessions/import?fresh=1", "", 201, ""},
        {"GET", "/v1/jobs", "", 200, ""},
        {"GET", job_path, "", 200, ""},
        {"GET", job_path + "/output", "", 200, ""},
        {"POST", job_path + "/kill", "", 200, ""},
        {"POST", job_path + "/input", "x", 200, ""},
        {"POST", job_path + "/input?eof=1", "", 200, ""},
        {"GET", "/v1/events", "", 200, ""},
        {"GET", "/v1/health", "", 200, ""},
        {"GET", "/v1/info", "", 200, ""},
        {"GET", "/metrics", "", 200, ""},
    };
    for (const auto& r : rows)
        check(api, r);
    api.service.task_ended = true;
    check(api, {"POST", task_path + "/cancel", "", 200, ""});
}

TEST_CASE("every call whose thing is not there is 404")
{
    running_api api;
    const row rows[] = {
        {"GET", "/v1/tasks?session_id=s_none", "", 404, "not_found"},
        {"GET", "/v1/tasks/t_none", "", 404, "not_found"},
        {"GET", "/v1/tasks/t_none/wait", "", 404, "not_found"},
        {"POST", "/v1/tasks/t_none/cancel", "", 404, "not_found"},
        {"POST", "/v1/tasks/t_none/messages", R"({"text":"x"})", 404, "not_found"},
        {"GET", "/v1/sessions/s_none", "", 404, "not_found"},
        {"GET", "/v1/sessions/s_none/messages", "", 404, "not_found"},
        {"GET", "/v1/sessions/s_none/export", "", 404, "not_found"},
        {"DELETE", "/v1/sessions/s_none", "", 404, "not_found"},
        {"GET", "/v1/jobs?task_id=t_none", "", 404, "not_found"},
        {"GET", "/v1/jobs/00000000", "", 404, "not_found"},
        {"GET", "/v1/jobs/00000000/output", "", 404, "not_found"},
        {"GET", "/v1/jobs/00000000/output?tail_lines=3", "", 404, "not_found"},
        {"GET", "/v1/jobs/00000000/output?follow=1", "", 404, "not_found"},
        {"POST", "/v1/jobs/00000000/kill", "", 404, "not_found"},
        {"GET", "/v1/events?task_id=t_none", "", 404, "not_found"},
    };
    for (const auto& r : rows)
        check(api, r);
}

TEST_CASE("each wrong parameter is 400 and named")
{
    running_api api;
    const std::pair<std::string, std::string> rows[] = {
        {"/v1/tasks?state=done", "state"},
        {"/v1/tasks?limit=0", "limit"},
        {"/v1/tasks?limit=201", "limit"},
        {"/v1/tasks?limit=ten", "limit"},
        {"/v1/tasks?limit=1&limit=2", "limit"},
        {"/v1/tasks?label=x", "label"},
        {"/v1/tasks?label=X=y", "label"},
        {"/v1/tasks?labels=a%3Db", "labels"},
        {"/v1/tasks?session_id=s_a", "session_id"},
        {"/v1/jobs?task_id=", "task_id"},
        {"/v1/jobs?session_id=S_ABCDEF", "session_id"},
        {"/v1/events?task_id=t_%20x", "task_id"},
        {task_path + "?verbose=1", "verbose"},
        {task_path + "/wait?timeout_s=-1", "timeout_s"},
        {task_path + "/wait?timeout_s=601", "timeout_s"},
        {task_path + "/wait?timeout_s=", "timeout_s"},
        {"/v1/sessions?limit=9999", "limit"},
        {session_path + "?x=", "x"},
        {session_path + "/messages?after=-1", "after"},
        {session_path + "/messages?after=99999999999999999999", "after"},
        {session_path + "/export?format=xml", "format"},
        {"/v1/jobs?state=succeeded", "state"},
        {"/v1/jobs?limit=0", "limit"},
        {"/v1/tasks?after=s_abcdefghij", "after"},
        {"/v1/tasks?after=t_abcde", "after"},
        {"/v1/tasks?after=", "after"},
        {"/v1/sessions?after=t_abcdefghij", "after"},
        {"/v1/jobs?after=1f3a9c0g", "after"},
        {job_path + "?x=1", "x"},
        {job_path + "/output?offset=-1", "offset"},
        {job_path + "/output?limit=0", "limit"},
        {job_path + "/output?tail_lines=x", "tail_lines"},
        {job_path + "/output?tail_lines=1&offset=1", "tail_lines"},
        {job_path + "/output?follow=maybe", "follow"},
        {"/v1/events?after=yesterday", "after"},
        {"/v1/events?after=-1", "after"},
        {"/v1/events?limit=0", "limit"},
        {"/v1/events?follow=2", "follow"},
        {"/v1/events?since=1", "since"},
        {"/v1/health?x=1", "x"},
        {"/v1/info?x=1", "x"},
        {"/metrics?x=1", "x"},
    };
    for (const auto& [target, field] : rows) {
        CAPTURE(target);
        const auto answer = api.call("GET", target);
        CHECK(answer.status == 400);
        CHECK(answer.problem() == "invalid_parameter");
        const auto problem = proto::api::read_problem(answer.body);
        REQUIRE(problem);
        CHECK(problem->field == field);
    }
}

TEST_CASE("calls that change something refuse what they do not take")
{
    running_api api;
    check(api, {"POST", task_path + "/cancel?force=1", "", 400, "invalid_parameter"});
    check(api, {"POST", task_path + "/messages?x=1", R"({"text":"x"})", 400, "invalid_parameter"});
    check(api, {"POST", job_path + "/kill?signal=9", "", 400, "invalid_parameter"});
    check(api, {"DELETE", session_path + "?force=1", "", 400, "invalid_parameter"});
    check(api, {"POST", task_path + "/cancel", "[]", 400, "malformed_json"});
    check(api, {"POST", task_path + "/cancel", R"({"why":"x"})", 422, "invalid_field"});
    check(api, {"POST", job_path + "/kill", "{", 400, "malformed_json"});
    check(api, {"POST", job_path + "/kill", R"({"signal":9})", 422, "invalid_field"});
    check(api, {"POST", task_path + "/messages", "x", 400, "malformed_json"});
    check(api, {"POST", task_path + "/messages", "{}", 422, "invalid_field"});
    check(api,
        {"POST", task_path + "/messages",
            fmt::format(R"({{"text":"{}"}})", std::string((1U << 20) + 1, 'x')), 413, "too_large"});
}

TEST_CASE("what cannot be an id is 400 before anything is looked up")
{
    running_api api;
    for (const std::string id : {"t_a", "x", "T_ABCDEF", "t_ab%20c", "t_ab-c", "t_ab%2Fc", ".."}) {
        CAPTURE(id);
        for (const std::string& target :
            {"/v1/tasks/" + id, "/v1/tasks/" + id + "/wait", "/v1/sessions/" + id,
                "/v1/sessions/" + id + "/messages", "/v1/sessions/" + id + "/export",
                "/v1/jobs/" + id, "/v1/jobs/" + id + "/output"}) {
            const auto answer = api.call("GET", target);
            CHECK(answer.status == 400);
            CHECK(answer.problem() == "bad_id");
            CHECK(proto::api::read_problem(answer.body)->field == "id");
        }
        check(api, {"POST", "/v1/tasks/" + id + "/cancel", "", 400, "bad_id"});
        check(api, {"POST", "/v1/tasks/" + id + "/messages", R"({"text":"x"})", 400, "bad_id"});
        check(api, {"DELETE", "/v1/sessions/" + id, "", 400, "bad_id"});
        check(api, {"POST", "/v1/jobs/" + id + "/kill", "", 400, "bad_id"});
    }
}

TEST_CASE("filters and pages reach the service as they were meant")
{
    running_api api;
    api.call("GET",
        "/v1/tasks?state=queued,running&state=failed&session_id=s_abc&label=a%3Db"
        "&label=c=d%20e&limit=7&after=t_zzzzzzzzzz");
    const auto& asked = api.service.last_tasks;
    using proto::api::task_state;
    CHECK(asked.states == std::vector{task_state::queued, task_state::running, task_state::failed});
    CHECK(asked.session_id == "s_abc");
    CHECK(asked.labels == proto::api::labels{{"a", "b"}, {"c", "d e"}});
    CHECK(asked.limit == 7);
    CHECK(asked.after == "t_zzzzzzzzzz");
    api.call("GET", "/v1/jobs?task_id=t_x2&session_id=s_y2&state=lost");
    CHECK(api.service.last_jobs.task_id == "t_x2");
    CHECK(api.service.last_jobs.session_id == "s_y2");
    CHECK(api.service.last_jobs.states == std::vector{proto::api::job_state::lost});
    CHECK(api.service.last_jobs.limit == limits::list_default);
    const auto page = proto::api::read_task_page(api.call("GET", "/v1/tasks").body);
    REQUIRE(page);
    CHECK(page->next == "t_abcdefghij");
    CHECK(page->seq == 7);
    api.call("GET", task_path + "/wait?timeout_s=0");
    CHECK(api.service.last_wait == 0ms);
}

TEST_CASE("a service's errors become their statuses and problems")
{
    running_api api;
    const std::pair<errc, row> rows[] = {
        {errc::not_found, {"GET", task_path, "", 404, "not_found"}},
        {errc::not_found, {"POST", "/v1/tasks", submit_body, 404, "not_found"}},
        {errc::ambiguous_id, {"GET", task_path, "", 409, "ambiguous_id"}},
        {errc::ambiguous_id, {"GET", task_path + "/wait", "", 409, "ambiguous_id"}},
        {errc::ambiguous_id, {"POST", task_path + "/cancel", "", 409, "ambiguous_id"}},
        {errc::ambiguous_id, {"GET", session_path, "", 409, "ambiguous_id"}},
        {errc::ambiguous_id, {"GET", session_path + "/messages", "", 409, "ambiguous_id"}},
        {errc::ambiguous_id, {"GET", session_path + "/export", "", 409, "ambiguous_id"}},
        {errc::ambiguous_id, {"GET", "/v1/tasks", "", 409, "ambiguous_id"}},
        {errc::ambiguous_id, {"GET", "/v1/jobs", "", 409, "ambiguous_id"}},
        {errc::ambiguous_id, {"GET", job_path, "", 409, "ambiguous_id"}},
        {errc::ambiguous_id, {"GET", job_path + "/output", "", 409, "ambiguous_id"}},
        {errc::ambiguous_id, {"POST", job_path + "/kill", "", 409, "ambiguous_id"}},
        {errc::ambiguous_id, {"GET", "/v1/events?task_id=t_ab", "", 409, "ambiguous_id"}},
        {errc::ambiguous_id, {"POST", "/v1/tasks", submit_body, 409, "ambiguous_id"}},
        {errc::task_ended, {"POST", task_path + "/messages", R"({"text":"x"})", 409, "task_ended"}},
        {errc::session_busy, {"DELETE", session_path, "", 409, "session_busy"}},
        {errc::too_many_tasks, {"POST", "/v1/tasks", submit_body, 429, "too_many_tasks"}},
        {errc::too_many_sessions, {"POST", "/v1/tasks", submit_body, 429, "too_many_sessions"}},
        {errc::too_many_messages,
            {"POST", task_path + "/messages", R"({"text":"x"})", 429, "too_many_messages"}},
        {errc::workspace_denied, {"POST", "/v1/tasks", submit_body, 403, "workspace_denied"}},
        {errc::key_reused, {"POST", "/v1/tasks", submit_body, 422, "key_reused"}},
        {errc::draining, {"POST", "/v1/tasks", submit_body, 503, "draining"}},
        {errc::storage_full, {"POST", "/v1/tasks", submit_body, 507, "storage_full"}},
        {errc::storage_failed, {"POST", "/v1/tasks", submit_body, 503, "storage_failed"}},
        {errc::gone, {"GET", job_path + "/output", "", 410, "output_gone"}},
        {errc::no_input, {"POST", job_path + "/input", "x", 409, "no_input"}},
        {errc::line_too_long, {"POST", job_path + "/input", "x", 422, "line_too_long"}},
    };
    for (const auto& [code, r] : rows) {
        api.service.fail_with(base::error{code, "because t_abcdefghij, t_abcdefghik"});
        check(api, r);
    }
}

TEST_CASE("an invalid field is named, several ids are listed, a refusal says when to come back")
{
    running_api api;
    api.service.fail_with(
        base::error{errc::invalid_field, "field \"workdir\": cannot be opened: no such directory"});
    const auto field = proto::api::read_problem(api.call("POST", "/v1/tasks", submit_body).body);
    REQUIRE(field);
    CHECK(field->field == "workdir");
    api.service.fail_with(base::error{errc::ambiguous_id, "t_ab: t_abcdefghij, t_abzzzzzzzz"});
    const auto several = proto::api::read_problem(api.call("GET", "/v1/tasks/t_ab").body);
    REQUIRE(several);
    CHECK(several->candidates == std::vector<std::string>{"t_abcdefghij", "t_abzzzzzzzz"});
    api.service.fail_with(base::error{errc::too_many_tasks, "10000 tasks wait"});
    CHECK(api.call("POST", "/v1/tasks", submit_body).header("retry-after") == "5");
}

TEST_CASE("an error that no client can mean anything by is a 500 without its text")
{
    running_api api;
    api.service.fail_with(base::system_error("read /secret", EIO));
    const auto answer = api.call("GET", task_path);
    CHECK(answer.status == 500);
    CHECK(answer.problem() == "internal");
    CHECK(answer.body.find("secret") == std::string::npos);
}

TEST_CASE("health says what is wrong; draining refuses work and lets the rest go on")
{
    running_api api;
    CHECK(api.call("GET", "/v1/health").body == R"({"status":"ok","reasons":[]})");
    api.status.reasons = {"no model credential"};
    CHECK(api.call("GET", "/v1/health").body ==
        R"({"status":"degraded","reasons":["no model credential"]})");
    api.server->drain();
    CHECK(api.call("GET", "/v1/health").body.starts_with(R"({"status":"draining")"));
    const auto refused = api.call("POST", "/v1/tasks", submit_body);
    CHECK(refused.status == 503);
    CHECK(refused.problem() == "draining");
    CHECK(refused.header("retry-after") == "5");
    check(api, {"POST", task_path + "/messages", R"({"text":"x"})", 503, "draining"});
    check(api, {"POST", task_path + "/cancel", "", 202, ""});
    check(api, {"GET", task_path, "", 200, ""});
}

TEST_CASE("metrics are Prometheus text, info counts what there is")
{
    running_api api;
    const auto text = api.call("GET", "/metrics");
    CHECK(text.header("content-type").starts_with("text/plain"));
    CHECK(text.body.find("# TYPE agentd_tasks gauge\nagentd_tasks{state=\"queued\"} 0\n") !=
        std::string::npos);
    CHECK(text.body.find("agentd_api_connections 1\n") != std::string::npos);
    const auto info = proto::json::parse_object(api.call("GET", "/v1/info").body);
    REQUIRE(info);
    CHECK(*info->string("version") == "0.1.0");
    CHECK(info->child("counts")->integer("sessions", 0, 100) == 3);
    CHECK(info->child("supervision")->boolean("watcher") == true);
}

TEST_CASE("a failure in the middle of a stream ends the connection, not the body")
{
    running_api api;
    api.service.messages_throw = true;
    auto client = api.client();
    client.ask("GET", session_path + "/export");
    REQUIRE(client.receive_head());
    CHECK(client.read_line());
    CHECK_FALSE(client.read_line());
    CHECK(client.closed());
    CHECK(api.call("GET", session_path + "/messages").status == 500);
}
