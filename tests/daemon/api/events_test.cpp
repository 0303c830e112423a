#include "proto/api/json.hpp"
#include "tests/daemon/api/running_api.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <atomic>

using namespace agentd;
using namespace std::chrono_literals;
using testing::http_client;
using testing::own_bounds;
using testing::running_api;

namespace {

// The seq of a line; 0: it has none.
base::event_seq seq_of(const std::string& line)
{
    const auto event = proto::api::read_event(line);
    return event ? event->seq : 0;
}

std::string type_of(const std::string& line)
{
    const auto event = proto::api::read_event(line);
    return event ? event->type : std::string{};
}

std::vector<std::string> lines_of(const std::string& body)
{
    std::vector<std::string> lines;
    std::size_t from = 0;
    for (std::size_t end = body.find('\n'); end != std::string::npos; end = body.find('\n', from)) {
        lines.push_back(body.substr(from, end - from));
        from = end + 1;
    }
    return lines;
}

// Opens a followed stream and reads its head.
http_client following(const running_api& api, const std::string& query)
{
    auto client = api.client();
    client.ask("GET", "/v1/events?follow=1" + query);
    const auto head = client.receive_head();
    REQUIRE(head);
    REQUIRE(head->status == 200);
    client.note("GET", "/v1/events?follow=1" + query, *head);
    return client;
}

} // namespace

TEST_CASE("events: what is stored, in order, from the oldest or after a cursor")
{
    running_api api;
    for (int i = 0; i < 700; ++i) // more than two pages
        api.hub.append("task.submitted");
    const auto all = lines_of(api.call("GET", "/v1/events").body);
    REQUIRE(all.size() == 700);
    for (std::size_t i = 0; i < all.size(); ++i)
        CHECK(seq_of(all[i]) == i + 1);
    const auto later = lines_of(api.call("GET", "/v1/events?after=690").body);
    REQUIRE(later.size() == 10);
    CHECK(seq_of(later.front()) == 691);
    CHECK(lines_of(api.call("GET", "/v1/events?after=700").body).empty());
    CHECK(lines_of(api.call("GET", "/v1/events?after=now").body).empty());
    CHECK(lines_of(api.call("GET", "/v1/events?limit=300").body).size() == 300);
    CHECK(lines_of(api.call("GET", "/v1/events?after=0&limit=256").body).size() == 256);
}

TEST_CASE("events: filters by task, session and type")
{
    running_api api;
    api.hub.append("task.submitted", "t_aaaaaaaaaa", "s_aaaaaaaaaa");
    api.hub.append("job.started", "t_aaaaaaaaaa", "s_aaaaaaaaaa");
    api.hub.append("task.submitted", "t_bbbbbbbbbb", "s_bbbbbbbbbb");
    api.hub.append("task.finished", "t_bbbbbbbbbb", "s_bbbbbbbbbb");
    CHECK(lines_of(api.call("GET", "/v1/events?task_id=t_aaaaaaaaaa").body).size() == 2);
    CHECK(lines_of(api.call("GET", "/v1/events?session_id=s_bbbbbbbbbb").body).size() == 2);
    CHECK(lines_of(api.call("GET", "/v1/events?types=job.started").body).size() == 1);
    CHECK(lines_of(api.call("GET", "/v1/events?types=task.*,job.*").body).size() == 4);
}

TEST_CASE("events: a cursor ahead is 400, one behind what is kept is 410 with the oldest")
{
    running_api api;
    for (int i = 0; i < 10; ++i)
        api.hub.append("task.submitted");
    api.hub.purge(5);
    const auto ahead = api.call("GET", "/v1/events?after=11");
    CHECK(ahead.status == 400);
    CHECK(ahead.problem() == "cursor_ahead");
    const auto behind = api.call("GET", "/v1/events?after=3");
    CHECK(behind.status == 410);
    CHECK(behind.problem() == "events_gone");
    CHECK(proto::api::read_problem(behind.body)->oldest_seq == 5);
    CHECK(lines_of(api.call("GET", "/v1/events?after=4").body).size() == 6);
    CHECK(lines_of(api.call("GET", "/v1/events").body).size() == 6);
}

TEST_CASE("events: server-sent events have the seq as id, and go on after Last-Event-ID")
{
    running_api api;
    api.hub.append("task.submitted");
    api.hub.append("task.started");
    const auto answer = api.call("GET", "/v1/events", {}, {{"Accept", "text/event-stream"}});
    CHECK(answer.header("content-type") == "text/event-stream");
    CHECK(answer.body.starts_with("id: 1\ndata: {\"seq\":1,"));
    CHECK(answer.body.find("\n\nid: 2\ndata: {") != std::string::npos);
    CHECK(answer.body.ends_with("}\n\n"));
    const auto resumed = api.call(
        "GET", "/v1/events?after=0", {}, {{"Accept", "text/event-stream"}, {"Last-Event-ID", "1"}});
    CHECK(resumed.body.starts_with("id: 2\n"));
    CHECK(api.call("GET", "/v1/events", {}, {{"Last-Event-ID", "x"}}).status == 400);
}

TEST_CASE("events: history and what happens meanwhile come once each and in order")
{
    running_api api;
    constexpr base::event_seq before = 1000, all = 6000;
    for (base::event_seq i = 0; i < before; ++i)
        api.hub.append("task.submitted");
    std::thread publisher{[&api] {
        for (base::event_seq i = before; i < all; ++i)
            api.hub.append("task.started");
    }};
    std::vector<http_client> readers;
    for (int i = 0; i < 4; ++i)
        readers.push_back(following(api, fmt::format("&after={}", i * 100)));
    for (std::size_t i = 0; i < readers.size(); ++i) {
        for (base::event_seq expected = i * 100 + 1; expected <= all; ++expected) {
            const auto line = readers[i].read_line();
            REQUIRE(line);
            REQUIRE(seq_of(*line) == expected);
        }
    }
    publisher.join();
}

TEST_CASE("events: what is committed between subscribing and reading comes once")
{
    running_api api;
    api.hub.append("task.submitted");
    api.hub.before_history([&api] {
        api.hub.append("task.started");
        api.hub.append("task.waiting");
    });
    auto client = following(api, "");
    for (base::event_seq expected = 1; expected <= 3; ++expected)
        CHECK(seq_of(*client.read_line()) == expected);
    api.hub.append("task.finished");
    CHECK(seq_of(*client.read_line()) == 4);
}

TEST_CASE("events: live text comes between events, and is dropped where the history has it")
{
    running_api api;
    session::delta text;
    text.task_id = base::task_id{"t_aaaaaaaaaa"};
    text.text = "old";
    api.hub.append("task.started", "t_aaaaaaaaaa");
    api.hub.before_history([&api, text] {
        api.hub.publish(text);
        api.hub.append("model.text", "t_aaaaaaaaaa");
    });
    auto client = following(api, "&task_id=t_aaaaaaaaaa");
    CHECK(type_of(*client.read_line()) == "task.started");
    CHECK(type_of(*client.read_line()) == "model.text");
    text.text = "new";
    api.hub.publish(text);
    CHECK(*client.read_line() == R"({"type":"model.delta","text":"new"})");
}

TEST_CASE("events: a followed task's stream ends with the task")
{
    running_api api;
    api.hub.append("task.started", "t_aaaaaaaaaa");
    auto client = following(api, "&task_id=t_aaaaaaaaaa");
    CHECK(type_of(*client.read_line()) == "task.started");
    api.hub.append("task.finished", "t_bbbbbbbbbb");
    api.hub.append("task.finished", "t_aaaaaaaaaa");
    CHECK(type_of(*client.read_line()) == "task.finished");
    CHECK_FALSE(client.read_line());
    CHECK(client.call("GET", "/v1/health").status == 200); // the connection goes on
}

TEST_CASE("events: it ends also where its end is not shown, or lies before the cursor")
{
    running_api api;
    api.hub.append("task.started", "t_aaaaaaaaaa");
    auto hidden = following(api, "&task_id=t_aaaaaaaaaa&types=task.started");
    CHECK(type_of(*hidden.read_line()) == "task.started");
    api.hub.append("task.finished", "t_aaaaaaaaaa");
    CHECK_FALSE(hidden.read_line());
    api.service.task_ended = true;
    auto late = following(api, "&task_id=t_aaaaaaaaaa&after=now");
    CHECK_FALSE(late.read_line());
    auto again = following(api, "&task_id=t_aaaaaaaaaa");
    CHECK(type_of(*again.read_line()) == "task.started");
    CHECK(type_of(*again.read_line()) == "task.finished");
    CHECK_FALSE(again.read_line());
}

TEST_CASE("events: heartbeats carry the cursor, past what the filter hides")
{
    auto bounds = own_bounds();
    bounds.heartbeat = 20ms;
    running_api api{bounds};
    api.hub.append("task.started");
    auto client = following(api, "&types=job.started");
    CHECK(*client.read_line() == R"({"type":"heartbeat","resume_after":1})");
    api.hub.append("task.finished");
    const std::string expected{R"({"type":"heartbeat","resume_after":2})"};
    auto line = client.read_line();
    for (int i = 0; i < 100 && line != expected; ++i)
        line = client.read_line();
    CHECK(*line == expected);
}

TEST_CASE("events: a reader that does not keep up is cut off with its cursor")
{
    running_api api;
    api.hub.append("task.started");
    auto client = following(api, "");
    CHECK(seq_of(*client.read_line()) == 1);
    testing::eventually([&api] { return api.hub.readers() == 1; });
    api.hub.append("task.waiting");
    CHECK(seq_of(*client.read_line()) == 2);
    api.hub.lag();
    CHECK(*client.read_line() == R"({"type":"lagged","resume_after":2})");
    CHECK_FALSE(client.read_line());
}

TEST_CASE("events: limit ends a followed stream, too")
{
    running_api api;
    api.hub.append("task.started");
    auto client = following(api, "&limit=2");
    CHECK(seq_of(*client.read_line()) == 1);
    api.hub.append("task.waiting");
    CHECK(seq_of(*client.read_line()) == 2);
    CHECK_FALSE(client.read_line());
}

TEST_CASE("events: a reader that goes away leaves nothing behind")
{
    running_api api;
    {
        auto client = following(api, "");
        testing::eventually([&api] { return api.hub.readers() == 1; });
    }
    testing::eventually([&api] { return api.hub.readers() == 0; });
    api.await_connections(0);
}

TEST_CASE("events: readers that disconnect at random and resume see each event once")
{
    running_api api;
    constexpr base::event_seq all = 3000;
    std::thread publisher{[&api] {
        for (base::event_seq i = 0; i < all; ++i)
            api.hub.append("task.started");
    }};
    base::event_seq seen = 0;
    for (std::size_t round = 0; seen < all; ++round) {
        auto client = following(api, fmt::format("&after={}", seen));
        for (std::size_t i = 0; i < 1 + round * 7 % 200 && seen < all; ++i) {
            const auto line = client.read_line();
            REQUIRE(line);
            REQUIRE(seq_of(*line) == seen + 1);
            ++seen;
        }
    }
    publisher.join();
}
