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

TEST_CASE("history: no text follows a call that the server itself has not answered yet")
{
    const std::string paused =
        R"([{"type":"text","text":"I look."},)"
        R"({"type":"server_tool_use","id":"s1","name":"a","input":{}},)"
        R"({"type":"web_search_tool_result","tool_use_id":"s1","content":[]},)"
        R"({"type":"server_tool_use","id":"s2","name":"b","input":{}}])";
    const std::string kept =
        paused.substr(0, paused.find(R"(,{"type":"server_tool_use","id":"s2")"));
    const std::string more = R"([{"type":"text","text":"more"}])";
    history live{epoch(), {stored(1, "user", R"([{"type":"text","text":"go"}])")}};
    live.answered(paused);
    CHECK(live.request(1).messages.back()->find("s2") != std::string::npos); // continued as it is
    live.add_text("more");
    const auto read = [&paused, &more](bool answered) {
        return history{epoch(),
            {stored(1, "user", R"([{"type":"text","text":"go"}])"), stored(2, "assistant", paused),
                stored(3, "user", more, answered)}};
    };
    for (const auto& request : {live.request(1), read(false).request(1), read(true).request(1)}) {
        REQUIRE(request.messages.size() == 3);
        CHECK(*request.messages[1] == R"({"role":"assistant","content":)" + kept + "]}");
        CHECK(*request.messages[2] == R"({"role":"user","content":)" + more + "}");
    }
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

TEST_CASE("history: one element in a request: an unanswered message's own is replaced by a fuller")
{
    const std::string first = "<background-results>\n[bg:1] \"x\"\n</background-results>";
    const std::string both = "<background-results>\n[bg:1] \"x\"\n[bg:2]\n</background-results>";
    const std::string results[] = {proto::messages::tool_result_block("toolu_1", "out", false)};
    history before{epoch(),
        {stored(1, "user", R"([{"type":"text","text":"go"}])"), stored(2, "assistant", asks)}};
    before.add_results(results);
    REQUIRE(before.add_background(first));
    before.add_text("a user's words");
    // As it is after a restart: stored, not answered.
    history after{epoch(),
        {stored(1, "user", R"([{"type":"text","text":"go"}])"), stored(2, "assistant", asks),
            stored(3, "user", before.pending(), false)}};
    CHECK_FALSE(after.knows_background(both));
    REQUIRE(after.knows_background(first));
    REQUIRE(after.add_background(both));
    CHECK(after.pending() ==
        R"([{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"out"},)"
        R"({"type":"text","text":"<background-results>\n[bg:1] \"x\"\n[bg:2]\n</background-results>"}]},)"
        R"({"type":"text","text":"a user's words"}])");
    CHECK(after.pending_without_background() ==
        R"([{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"out"}]},)"
        R"({"type":"text","text":"a user's words"}])");
}

TEST_CASE("history: without its element a message may be empty")
{
    history h{epoch(), {}};
    REQUIRE(h.add_background("<b>"));
    CHECK(h.pending_without_background().empty());
    h.add_text("go");
    CHECK(h.pending_without_background() == R"([{"type":"text","text":"go"}])");
}

TEST_CASE("history: read from the store it gives the bytes that were sent before")
{
    const std::string odd = R"([{ "type":"text","text":"\u00e9 1.0e2" }, {"n":1.00}])";
    history sent{epoch(), {}};
    sent.add_text("go");
    const auto user = sent.pending();
    sent.answered(odd);
    sent.add_text("on");
    const auto before = sent.request(1);
    history read{epoch(),
        {stored(1, "user", user), stored(2, "assistant", odd),
            stored(3, "user", sent.pending(), false)}};
    const auto after = read.request(1);
    REQUIRE(after.messages.size() == before.messages.size());
    for (std::size_t i = 0; i < before.messages.size(); ++i)
        CHECK(*after.messages[i] == *before.messages[i]);
    // And the next request shares them: nothing is encoded again.
    CHECK(read.request(1).messages[0] == after.messages[0]);
    CHECK(read.size() >= user.size() + odd.size());
}

TEST_CASE("history: thinking that is not accepted any more is left out, all other bytes stay")
{
    history h{epoch(),
        {stored(1, "user", R"([{"type":"text","text":"a"}])"),
            stored(2, "assistant",
                R"([{"type":"thinking","thinking":"x"},{ "type":"text","text":"b"}])"),
            stored(3, "user", R"([{"type":"text","text":"c"}])"),
            stored(4, "assistant", R"([{"type":"redacted_thinking"}])"),
            stored(5, "user", R"([{"type":"text","text":"d"}])")}};
    const auto before = h.request(1);
    h.drop_thinking();
    const auto after = h.request(1);
    REQUIRE(after.messages.size() == 3);
    CHECK(after.messages[0] == before.messages[0]);
    CHECK(*after.messages[1] == R"({"role":"assistant","content":[{ "type":"text","text":"b"}]})");
    CHECK(*after.messages[2] ==
        R"({"role":"user","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]})");
}

TEST_CASE("history: a new epoch begins with its one message, to be extended")
{
    history h{epoch(),
        {stored(1, "user", R"([{"type":"text","text":"go"}])"), stored(2, "assistant", asks)}};
    CHECK(h.has_reply());
    auto next = epoch();
    next.number = 2;
    h.begin_epoch(next, R"([{"type":"text","text":"so far"}])", 7);
    CHECK_FALSE(h.has_reply());
    CHECK(h.pending_seq() == 7);
    h.add_text("on");
    REQUIRE(h.request(1).messages.size() == 1);
    CHECK(*h.request(1).messages[0] ==
        R"({"role":"user","content":[{"type":"text","text":"so far"},{"type":"text","text":"on"}]})");
}

TEST_CASE("inbox: drains everything in the order of the store, each once")
{
    session::inbox box;
    CHECK(box.empty());
    session::job_news second, first;
    second.job.id = base::job_id{"22222222"};
    first.job.id = base::job_id{"11111111"};
    box.push(2, second);
    box.push(1, first);
    box.push(3, "hello");
    box.push(3, "hello");
    const auto news = box.drain();
    REQUIRE(news.jobs.size() == 2);
    CHECK(news.jobs[0].job.id.str() == "11111111");
    CHECK(news.messages == std::vector<std::string>{"hello"});
    CHECK(news.ids == std::vector<std::int64_t>{1, 2, 3});
    box.push(1, first); // told already
    CHECK(box.empty());
}
