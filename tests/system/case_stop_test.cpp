// Conformance cases about the end of a reply, with the built agentd: what each stop_reason
// leads to, and the bytes of the request that follows it.
#include "tests/system/evidence.hpp"
#include "tests/system/wire.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace agentd::testing;

namespace {

using namespace std::chrono_literals;

// What the server's own tool asked for: a block that is echoed and never run here.
const std::string server_call =
    R"({"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x\/y"}})";

std::vector<std::string> server_call_events()
{
    return {block_start(0, server_call), block_stop(0)};
}

} // namespace

TEST_CASE("case 45 stop_absent: without a stop_reason the turn is over")
{
    std::vector<std::string> events{start_event()};
    for (const auto& event : text_events(0, "all said"))
        events.push_back(event);
    events.push_back(R"({"type":"message_delta","delta":{},"usage":{"output_tokens":3}})");
    events.push_back(stop_event());
    wired w{{says(sse(events))}};
    const auto task = w.run("go");
    CHECK(state_of(task) == "succeeded");
    CHECK(task.at("result").as_string() == "all said");
    CHECK(w.requests().size() == 1);
}

TEST_CASE("case 47, an empty answer in one message is asked about once, then the task is over")
{
    const answer nothing = [](peer& with) {
        with.send(reply(200, "application/json", R"({"content":null,"stop_reason":"end_turn"})"));
    };
    wired w{{nothing, nothing, nothing}};
    CHECK(state_of(w.run("go")) == "succeeded");
    REQUIRE(w.requests().size() == 2);
    CHECK(w.messages(1) == user({text("go"), text("Please continue.")}));
}

TEST_CASE("case 48 refusal: shown as one, not asked again, not stored")
{
    std::vector<std::string> events{start_event()};
    for (const auto& event : text_events(0, "I will n"))
        events.push_back(event);
    for (const auto& event : call_events(1, "toolu_1", "bash", R"({"command":"touch ran"})"))
        events.push_back(event);
    events.push_back(
        R"({"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"type":"refusal","category":"c","explanation":"not this"}}})");
    events.push_back(stop_event());
    wired w{{ends_with("fine"), says(sse(events)), ends_with("again")}};
    const auto first = w.run("go");
    const auto refused = w.run_after(first, "something bad");
    CHECK(state_of(refused) == "failed");
    CHECK(refused.at("error").at("type").as_string() == "refusal");
    CHECK(refused.at("error").at("message").as_string() == "not this");
    CHECK(refused.at("result").is_null());
    CHECK_FALSE(w.has_file("ran"));
    CHECK(w.requests().size() == 2);
    CHECK(state_of(w.run_after(first, "something good")) == "succeeded");
    CHECK(w.messages(2) ==
        in_order({user({text("go")}), assistant({text("fine")}), user({text("something good")})}));
}

TEST_CASE("case 49 pause_turn: the reply is echoed with nothing added, and the turn goes on")
{
    wired w{{says(stream_of_blocks({server_call_events()}, "pause_turn")),
        says(stream_of_blocks({text_events(0, "found")}, "end_turn")), ends_with("again")}};
    const auto task = w.run("go");
    CHECK(task.at("result").as_string() == "found");
    REQUIRE(w.requests().size() == 2);
    CHECK(w.messages(1) == in_order({user({text("go")}), assistant({server_call})}));
    // What continues it belongs to the same message.
    CHECK(state_of(w.run_after(task, "more")) == "succeeded");
    CHECK(w.messages(2) ==
        in_order(
            {user({text("go")}), assistant({server_call, text("found")}), user({text("more")})}));
}

TEST_CASE("case 49, one that never ends is continued five times")
{
    const auto pause = says(stream_of_blocks({server_call_events()}, "pause_turn"));
    wired w{{pause, pause, pause, pause, pause, pause, ends_with("again")}};
    const auto task = w.run("go");
    CHECK(state_of(task) == "succeeded");
    CHECK(w.requests().size() == 6);
    // No text may follow what the server itself has left open.
    CHECK(state_of(w.run_after(task, "more")) == "succeeded");
    CHECK(w.messages(6) == in_order({user({text("go"), text("more")})}));
}

TEST_CASE("case 50 empty_end_turn: one message to continue, then it is over")
{
    const std::string input = R"({"command":"echo ran"})";
    const auto nothing = says(stream_of({}, "end_turn"));
    wired w{{says(stream_of_blocks({call_events(0, "toolu_1", "bash", input)})), nothing, nothing,
        nothing}};
    const auto task = w.run("go");
    CHECK(state_of(task) == "succeeded");
    CHECK(task.at("result").is_null());
    REQUIRE(w.requests().size() == 3);
    CHECK(w.messages(2) ==
        in_order({user({text("go")}), assistant({call("toolu_1", "bash", input)}),
            user({result("toolu_1", "ran"), text("Please continue.")})}));
}

TEST_CASE("case 68 cancel: mid-stream the socket is closed, nothing of the reply stays in history")
{
    const answer begins = [](peer& with) {
        with.send(stream_head() +
            chunk(sse({start_event(), text_start(0), text_delta(0, "half a thought")})));
        with.client_leaves(30s);
    };
    wired w{{begins, ends_with("again")}};
    auto reader = w.agent().connect();
    const auto task = w.agent().submit("go");
    REQUIRE(reader.open_stream("/v1/events?follow=1&task_id=" + task).status == 200);
    while (true) {
        const auto line = reader.next_line(patience());
        REQUIRE(line.has_value());
        if (line->find("model.delta") != std::string::npos)
            break;
    }
    w.agent().json(202, "POST", "/v1/tasks/" + task + "/cancel");
    const auto ended = w.agent().ended(task);
    CHECK(state_of(ended) == "cancelled");
    CHECK(state_of(w.run_after(ended, "more")) == "succeeded");
    CHECK(w.messages(1) ==
        user({text("go"), text("[agentd: this task was cancelled; do not go on with it]"),
            text("more")}));
}
