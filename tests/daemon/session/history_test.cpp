#include "proto/messages/encode.hpp"
#include "session/history.hpp"
#include "session/inbox.hpp"

#include <doctest/doctest.h>

using namespace agentd;
using session::history;

namespace {

store::messages::row stored(
    std::int64_t seq, std::string role, std::string content, bool answered = true)
{
    store::messages::row row;
    row.shown.seq = seq;
    row.shown.role = std::move(role);
    row.shown.content = std::move(content);
    row.answered = answered;
    return row;
}

store::messages::epoch epoch()
{
    store::messages::epoch e;
    e.model = "m";
    return e;
}

constexpr const char* asks = R"([{"type":"tool_use","id":"toolu_1","name":"bash","input":{}}])";

} // namespace

TEST_CASE("history: news goes inside the last tool_result, a user's text behind it")
{
    history h{epoch(),
        {stored(1, "user", R"([{"type":"text","text":"go"}])"), stored(2, "assistant", asks)}};
    const std::string results[] = {proto::messages::tool_result_block("toolu_1", "out", false)};
    h.add_results(results);
    REQUIRE(h.add_background("<background-results>\n</background-results>"));
    h.add_text("hurry");
    CHECK(h.pending() ==
        R"([{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"out"},)"
        R"({"type":"text","text":"<background-results>\n</background-results>"}]},{"type":"text","text":"hurry"}])");
}

TEST_CASE("history: without tool results news is a user message of its own")
{
    history h{epoch(),
        {stored(1, "user", R"([{"type":"text","text":"go"}])"),
            stored(2, "assistant", R"([{"type":"text","text":"done"}])")}};
    REQUIRE(h.add_background("<b>"));
    const auto request = h.request(1);
    REQUIRE(request.messages.size() == 3);
    CHECK(*request.messages[2] == R"({"role":"user","content":[{"type":"text","text":"<b>"}]})");
}

TEST_CASE("history: an unanswered message is extended, an answered one never changes")
{
    history h{epoch(), {stored(1, "user", R"([{"type":"text","text":"first"}])", false)}};
    CHECK(h.pending_seq() == 1);
    h.add_text("second");
    const auto before = h.request(1);
    CHECK(*before.messages.back() ==
        R"({"role":"user","content":[{"type":"text","text":"first"},{"type":"text","text":"second"}]})");
    h.answered(R"([{"type":"text","text":"reply"}])");
    h.add_text("third");
    const auto after = h.request(1);
    REQUIRE(after.messages.size() == 3);
    CHECK(after.messages[0]->substr(0, before.messages[0]->size()) == *before.messages[0]);
}

TEST_CASE("history: a paused reply and what follows it are one assistant message")
{
    history h{epoch(), {stored(1, "user", R"([{"type":"text","text":"go"}])")}};
    h.answered(R"([{"type":"server_tool_use"}])");
    CHECK(h.ends_with_assistant());
    h.answered(R"([{"type":"text","text":"end"}])");
    const auto request = h.request(1);
    REQUIRE(request.messages.size() == 2);
    CHECK(*request.messages[1] ==
        R"({"role":"assistant","content":[{"type":"server_tool_use"},{"type":"text","text":"end"}]})");
}

TEST_CASE("history: after a reply with nothing to keep the user's messages are merged")
{
    history h{epoch(), {stored(1, "user", R"([{"type":"text","text":"go"}])", false)}};
    h.answered("");
    h.add_text("Please continue.");
    const auto request = h.request(1);
    REQUIRE(request.messages.size() == 1);
    CHECK(*request.messages[0] ==
        R"({"role":"user","content":[{"type":"text","text":"go"},{"type":"text","text":"Please continue."}]})");
}

TEST_CASE("history: the calls of the last reply are known by their ids")
{
    history h{epoch(),
        {stored(1, "user", R"([{"type":"text","text":"go"}])"), stored(2, "assistant", asks)}};
    CHECK(h.asked_calls() == std::vector<std::string>{"toolu_1"});
}

TEST_CASE("inbox: drains everything in the order of the store, each once")
{
    session::inbox box;
    CHECK(box.empty());
    session::ended_job second, first;
    second.job.id = base::job_id{"22222222"};
    first.job.id = base::job_id{"11111111"};
    box.push(2, second);
    box.push(1, first);
    box.push(3, "hello");
    box.push(3, "hello");
    const auto news = box.drain();
    REQUIRE(news.ended.size() == 2);
    CHECK(news.ended[0].job.id.str() == "11111111");
    CHECK(news.messages == std::vector<std::string>{"hello"});
    CHECK(news.ids == std::vector<std::int64_t>{1, 2, 3});
    box.push(1, first); // told already
    CHECK(box.empty());
}
