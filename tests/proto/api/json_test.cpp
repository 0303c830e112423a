#include "proto/api/json.hpp"

#include <doctest/doctest.h>

using namespace agentd;
using namespace agentd::proto::api;
using namespace std::chrono_literals;

namespace {

const base::wall_time noon{1'795'000'000'123ms};

task sample_task()
{
    task t;
    t.id = base::task_id{"t_abcdefghij"};
    t.session_id = base::session_id{"s_abcdefghij"};
    t.owner_uid = 1000;
    t.state = task_state::failed;
    t.prompt = "say \"hi\"\n";
    t.result = "hi";
    t.result_turn = 3;
    t.error = task_error{
        .type = "model_error", .message = "no answer", .status = 529, .request_id = "req_1"};
    t.stop_reason = "end_turn";
    t.model = "m";
    t.labels = {{"a", "b"}};
    t.priority = -5;
    t.jobs_at_end = jobs_at_end::kill;
    t.cancel_requested = true;
    t.turns = 4;
    t.usage = {.input = 1, .output = 2, .cache_read = 3, .cache_write = 4};
    t.cost_usd = 0.25;
    t.created_at = noon;
    t.started_at = noon + 1s;
    return t;
}

} // namespace

TEST_CASE("a task is written with every member of the contract, in order")
{
    CHECK(to_json(sample_task()) ==
        R"({"id":"t_abcdefghij","session_id":"s_abcdefghij","owner_uid":1000,"state":"failed",)"
        R"("prompt":"say \"hi\"\n","result":"hi","result_turn":3,"error":{"type":"model_error",)"
        R"("message":"no answer","status":529,"request_id":"req_1"},"stop_reason":"end_turn",)"
        R"("model":"m","labels":{"a":"b"},"priority":-5,"jobs_at_end":"kill",)"
        R"("cancel_requested":true,"turns":4,"usage":{"input":1,"output":2,"cache_read":3,)"
        R"("cache_write":4},"cost_usd":0.25,"created_at":"2026-11-18T11:06:40.123Z",)"
        R"("started_at":"2026-11-18T11:06:41.123Z","ended_at":null})");
}

TEST_CASE("a task read back is the same")
{
    const std::string bytes = to_json(sample_task());
    const auto again = read_task(bytes);
    REQUIRE(again);
    CHECK(to_json(*again) == bytes);
    task plain;
    plain.id = base::task_id{"t_x"};
    const auto second = read_task(to_json(plain));
    REQUIRE(second);
    CHECK_FALSE(second->result);
    CHECK_FALSE(second->error);
    CHECK(to_json(*second) == to_json(plain));
}

TEST_CASE("sessions, jobs and messages read back are the same")
{
    session s;
    s.id = base::session_id{"s_x"};
    s.state = session_state::waiting;
    s.workdir = "/w";
    s.messages = 9;
    s.created_at = s.updated_at = noon;
    const auto session_again = read_session(to_json(s));
    REQUIRE(session_again);
    CHECK(to_json(*session_again) == to_json(s));

    job j;
    j.id = base::job_id{"1f3a9c02"};
    j.command = "make";
    j.state = job_state::killed;
    j.by = "user";
    j.signal = 15;
    j.wall_ms = 12;
    j.output_bytes = 5'000'000'000;
    j.gap = byte_gap{10, 20};
    j.queued_at = noon;
    const auto job_again = read_job(to_json(j));
    REQUIRE(job_again);
    CHECK(to_json(*job_again) == to_json(j));

    message m;
    m.seq = 2;
    m.role = "user";
    m.content = R"([{"type":"text","text":"1.0e2 stays","n":1.0e2}])";
    m.created_at = noon;
    const auto page = page_json(std::vector{m, m}, "", 7);
    const auto again = read_message_page(page);
    REQUIRE(again);
    REQUIRE(again->items.size() == 2);
    CHECK(again->items[1].content == m.content);
    CHECK(again->next.empty());
    CHECK(again->seq == 7);
}

TEST_CASE("an event carries the members of its body beside its own")
{
    event e;
    e.seq = 12;
    e.time = noon;
    e.type = "job.finished";
    e.job_id = base::job_id{"1f3a9c02"};
    e.body = R"({"state":"completed","exit_code":0})";
    CHECK(to_json(e) ==
        R"({"seq":12,"time":"2026-11-18T11:06:40.123Z","type":"job.finished",)"
        R"("job_id":"1f3a9c02","state":"completed","exit_code":0})");
    e.body = "{}";
    CHECK(to_json(e).ends_with(R"("job_id":"1f3a9c02"})"));
    const auto again = read_event(to_json(e));
    REQUIRE(again);
    CHECK(again->seq == 12);
    CHECK(again->type == "job.finished");
}

TEST_CASE("a page names the next one and the newest event")
{
    CHECK(page_json(std::vector<task>{}, "", 0) == R"({"items":[],"next":null,"seq":0})");
    const auto page = read_task_page(page_json(std::vector{sample_task()}, "t_next", 41));
    REQUIRE(page);
    CHECK(page->items.size() == 1);
    CHECK(page->next == "t_next");
    CHECK(page->seq == 41);
}

TEST_CASE("readers ignore what they do not know and name what is wrong")
{
    CHECK(read_job(R"({"id":"x","state":"lost","brand_new":[1,{}]})"));
    const auto wrong = read_job(R"({"id":"x","state":"lost","exit_code":"seven"})");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().text == "field \"exit_code\": must be a whole number");
    CHECK_FALSE(read_task("[]"));
    CHECK_FALSE(read_task("{"));
    CHECK_FALSE(read_task_page(R"({"items":3})"));
}

TEST_CASE("a problem is written as RFC 9457 has it and read back")
{
    problem p;
    p.name = "ambiguous_id";
    p.title = "Several things begin so";
    p.status = 409;
    p.detail = "several";
    p.request_id = "r_1";
    p.candidates = {"t_a", "t_b"};
    const std::string bytes = to_json(p);
    CHECK(bytes ==
        R"({"type":"urn:agentd:problem:ambiguous_id","title":"Several things begin so",)"
        R"("status":409,"detail":"several","request_id":"r_1","candidates":["t_a","t_b"]})");
    const auto again = read_problem(bytes);
    REQUIRE(again);
    CHECK(again->name == "ambiguous_id");
    CHECK(to_json(*again) == bytes);
}

TEST_CASE("names of states there and back")
{
    for (const auto name : {"queued", "running", "waiting", "succeeded", "failed", "cancelled"}) {
        const auto state = task_state_from(name);
        REQUIRE(state);
        CHECK(to_string(*state) == name);
    }
    for (const auto name :
        {"queued", "running", "completed", "timeout", "killed", "error", "lost"}) {
        const auto state = job_state_from(name);
        REQUIRE(state);
        CHECK(to_string(*state) == name);
    }
    CHECK_FALSE(task_state_from("done"));
    CHECK_FALSE(session_state_from(""));
    CHECK(has_ended(task_state::cancelled));
    CHECK_FALSE(has_ended(task_state::waiting));
    CHECK_FALSE(has_ended(job_state::running));
    CHECK(has_ended(job_state::lost));
}
