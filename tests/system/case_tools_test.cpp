// Conformance cases about tool calls, with the built agentd: what is run and what is not, and
// the bytes of the request that answers them.
#include "tests/system/evidence.hpp"
#include "tests/system/wire.hpp"

#include <doctest/doctest.h>

using namespace agentd::testing;

namespace {

const std::string cut_text =
    "Error: the input of this call was cut off before its end; nothing was run. Call again, shorter. What came: ";
const std::string invalid_text =
    "Error: the input of this call is no JSON object; nothing was run. What came: ";

// All of a reply that asks for a call, but for its message_stop.
std::string call_without_stop()
{
    std::vector<std::string> events{start_event()};
    for (const auto& event : call_events(0, "toolu_1", "bash", R"({"command":"touch ran"})"))
        events.push_back(event);
    events.push_back(ending("tool_use"));
    return sse(events);
}

void check_not_run(const answer& broken)
{
    wired w{{broken, ends_with("done")}};
    CHECK(w.run("go").at("result").as_string() == "done");
    CHECK_FALSE(w.has_file("ran"));
    REQUIRE(w.requests().size() == 2);
    CHECK(w.requests()[0] == w.requests()[1]);
    CHECK(w.messages(1) == user({text("go")}));
}

std::vector<std::string> cut_call(std::string_view id, const std::vector<std::string>& pieces)
{
    std::vector<std::string> events{tool_start(0, id, "bash")};
    for (const auto& piece : pieces)
        events.push_back(input_delta(0, piece));
    events.push_back(block_stop(0));
    return events;
}

} // namespace

TEST_CASE("case 11, a whole call is not run when message_stop is missing; the same request again")
{
    check_not_run([](peer& with) { with.send(streamed(call_without_stop())); });
}

TEST_CASE("case 15, a whole call is not run when the connection is reset behind it")
{
    check_not_run([](peer& with) {
        with.send(stream_head() + chunk(call_without_stop()));
        with.reset();
    });
}

TEST_CASE("case 16, a whole call is not run when an error event follows it")
{
    check_not_run(says(call_without_stop() +
        sse({R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})"})));
}

TEST_CASE("case 71, a whole call is not run when TLS ends without its own end behind it")
{
    check_not_run([](peer& with) {
        with.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
        with.send(call_without_stop());
        with.cut();
    });
}

TEST_CASE("case 22 tool_truncated_max_tokens: not run, though it looks whole; told as is_error")
{
    wired w{
        {says(stream_of_blocks({cut_call("toolu_1", {R"({"command":"touch r)"})}, "max_tokens")),
            says(stream_of_blocks(
                {call_events(0, "toolu_2", "bash", R"({"command":"touch ran"})")}, "max_tokens")),
            ends_with("done")}};
    CHECK(state_of(w.run("go")) == "succeeded");
    CHECK_FALSE(w.has_file("ran"));
    CHECK_FALSE(w.has_file("r"));
    REQUIRE(w.requests().size() == 3);
    CHECK(w.messages(2) ==
        in_order({user({text("go")}),
            assistant({call("toolu_1", "bash", R"({"INVALID_JSON":"{\"command\":\"touch r"})")}),
            user({failed("toolu_1", cut_text + R"({\"command\":\"touch r)")}),
            assistant({call("toolu_2", "bash", R"({"command":"touch ran"})")}),
            user({failed("toolu_2", cut_text + R"({\"command\":\"touch ran\"})")})}));
}

TEST_CASE("case 22, in one JSON message: not run either")
{
    const auto block = call("toolu_1", "bash", R"({"command":"touch ran"})");
    const auto body = R"({"content":[)" + block + R"(],"stop_reason":"max_tokens"})";
    wired w{{[body](peer& with) { with.send(reply(200, "application/json", body)); },
        ends_with("done")}};
    CHECK(state_of(w.run("go")) == "succeeded");
    CHECK_FALSE(w.has_file("ran"));
    CHECK(w.messages(1) ==
        in_order({user({text("go")}), assistant({block}),
            user({failed("toolu_1", cut_text + R"({\"command\":\"touch ran\"})")})}));
}

TEST_CASE("case 23 tool_truncated_tool_use: not run, what came is quoted in the is_error result")
{
    wired w{
        {says(stream_of_blocks({cut_call("toolu_1", {R"({"command":"touch a)", "", R"(b\u00)"})})),
            ends_with("done")}};
    CHECK(state_of(w.run("go")) == "succeeded");
    REQUIRE(w.requests().size() == 2);
    CHECK(w.messages(1) ==
        in_order({user({text("go")}),
            assistant(
                {call("toolu_1", "bash", R"({"INVALID_JSON":"{\"command\":\"touch ab\\u00"})")}),
            user({failed("toolu_1", cut_text + R"({\"command\":\"touch ab\\u00)")})}));
}

TEST_CASE("case 23, a long input is quoted in part, and never half a code point of it")
{
    std::string input = R"({"command":")";
    for (int i = 0; i < 2000; ++i)
        input += "\u00e9";
    wired w{{says(stream_of_blocks({cut_call("toolu_1", {input})})), ends_with("done")}};
    CHECK(state_of(w.run("go")) == "succeeded");
    const auto all = w.messages(1);
    REQUIRE(all.find(cut_text) != std::string::npos);
    const auto begin = all.find(cut_text) + cut_text.size();
    const auto quoted = all.substr(begin, all.find("\"}", begin) - begin);
    CHECK(quoted.starts_with(R"({\"command\":\")" + std::string{"\u00e9\u00e9"}));
    CHECK(quoted.ends_with("\u00e9"));
    CHECK(quoted.size() < 1100);
}

TEST_CASE("case 24 tool_invalid_json: an is_error result, and the session lives on")
{
    wired w{{says(stream_of_blocks({cut_call("toolu_1", {R"({"command": touch})"})})),
        ends_with("sorry"), ends_with("again")}};
    const auto first = w.run("go");
    CHECK(first.at("result").as_string() == "sorry");
    const auto second = w.run_after(first, "more");
    CHECK(second.at("result").as_string() == "again");
    CHECK(w.messages(2) ==
        in_order({user({text("go")}),
            assistant({call("toolu_1", "bash", R"({"INVALID_JSON":"{\"command\": touch}"})")}),
            user({failed("toolu_1", invalid_text + R"({\"command\": touch})")}),
            assistant({text("sorry")}), user({text("more")})}));
}

TEST_CASE("case 25 tool_input_not_object: array, string and null are is_error results, in order")
{
    wired w{{says(stream_of_blocks({call_events(0, "toolu_1", "bash", "[1]"),
                 call_events(1, "toolu_2", "bash", R"("x")"),
                 call_events(2, "toolu_3", "bash", "null")})),
        ends_with("done")}};
    CHECK(state_of(w.run("go")) == "succeeded");
    CHECK(w.messages(1) ==
        in_order({user({text("go")}),
            assistant({call("toolu_1", "bash", R"({"INVALID_JSON":"[1]"})"),
                call("toolu_2", "bash", R"({"INVALID_JSON":"\"x\""})"),
                call("toolu_3", "bash", R"({"INVALID_JSON":"null"})")}),
            user({failed("toolu_1", invalid_text + "[1]"),
                failed("toolu_2", invalid_text + R"(\"x\")"),
                failed("toolu_3", invalid_text + "null")})}));
}

TEST_CASE("case 26, a call whose start has no input is run with what came of it")
{
    wired w{{says(stream_of({block_start(0, R"({"type":"tool_use","id":"toolu_1","name":"bash"})"),
                                input_delta(0, R"({"command":"echo ran"})"), block_stop(0)},
                 "tool_use")),
        ends_with("done")}};
    CHECK(state_of(w.run("go")) == "succeeded");
    CHECK(w.messages(1) ==
        in_order(
            {user({text("go")}), assistant({call("toolu_1", "bash", R"({"command":"echo ran"})")}),
                user({result("toolu_1", "ran")})}));
}

TEST_CASE(
    "case 28 parallel_tools: both run at once, one user message, results first, in call order")
{
    // The first ends only when the second has run.
    const std::string waits = R"({"command":"until [ -e two ]; do sleep 0.01; done; echo one"})";
    const std::string makes = R"({"command":"touch two; echo two"})";
    wired w{{says(stream_of_blocks({call_events(0, "toolu_1", "bash", waits),
                 call_events(1, "toolu_2", "bash", makes)})),
        ends_with("done")}};
    CHECK(state_of(w.run("go")) == "succeeded");
    REQUIRE(w.requests().size() == 2);
    CHECK(w.messages(1) ==
        in_order({user({text("go")}),
            assistant({call("toolu_1", "bash", waits), call("toolu_2", "bash", makes)}),
            user({result("toolu_1", "one"), result("toolu_2", "two")})}));
}

TEST_CASE("case 46 end_turn_with_tool: a complete call is run, also behind another word or none")
{
    const std::string input = R"({"command":"echo ran"})";
    for (const std::string_view delta : {R"({"stop_reason":"end_turn"})",
             R"({"stop_reason":"stop_sequence","stop_sequence":"<<END>>"})",
             R"({"stop_reason":"future_reason"})", "{}"}) {
        std::vector<std::string> events{start_event()};
        for (const auto& event : call_events(0, "toolu_1", "bash", input))
            events.push_back(event);
        events.push_back(R"({"type":"message_delta","delta":)" + std::string{delta} + "}");
        events.push_back(stop_event());
        wired w{{says(sse(events)), ends_with("done")}};
        CHECK(w.run("go").at("result").as_string() == "done");
        CHECK(w.messages(1) ==
            in_order({user({text("go")}), assistant({call("toolu_1", "bash", input)}),
                user({result("toolu_1", "ran")})}));
    }
}
