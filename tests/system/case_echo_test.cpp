// Conformance cases about the echo, with the built agentd: what a reply said comes back in the
// next request byte for byte, and what the API refuses does not.
#include "tests/system/wire.hpp"

#include <doctest/doctest.h>

#include <csignal>

using namespace agentd::testing;

namespace {

const std::string input = R"({"command":"echo ran"})";

// A block of any kind before a call: the next request holds its bytes, `echoed`.
void check_echo(std::vector<std::string> events, const std::string& echoed)
{
    for (const auto& event : call_events(7, "toolu_1", "bash", input))
        events.push_back(event);
    wired w{{says(stream_of(std::move(events), "tool_use")), ends_with("done")}};
    const auto task = w.run("go");
    CHECK(task.at("state").as_string() == "succeeded");
    CHECK(task.at("result").as_string() == "done");
    REQUIRE(w.requests().size() == 2);
    CHECK(w.messages(1) ==
        in_order({user({text("go")}), assistant({echoed, call("toolu_1", "bash", input)}),
            user({result("toolu_1", "ran")})}));
}

std::string thinking_delta(std::string_view spelt)
{
    return block_delta(
        0, R"({"type":"thinking_delta","thinking":")" + std::string{spelt} + R"("})");
}

std::string signature_delta(std::string_view spelt)
{
    return block_delta(
        0, R"({"type":"signature_delta","signature":")" + std::string{spelt} + R"("})");
}

} // namespace

TEST_CASE("case 9 unknown_block: its bytes come back, its place is kept")
{
    const std::string raw = R"({"type":"future_block","n":1.0, "deep":{"text":[ "\u00e9" ]}})";
    check_echo({block_start(0, raw), block_stop(0)}, raw);
}

TEST_CASE("case 38, a call in one JSON message is run and echoed as it was spelt")
{
    const std::string spelt = R"({ "command" : "echo ran", "timeout_s":5 })";
    const auto block = call("toolu_1", "bash", spelt);
    const auto body = R"({"id":"m","type":"message","role":"assistant","model":"m","content":[)" +
        block + R"( ],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2}})";
    wired w{{[body](peer& with) { with.send(reply(200, "application/json", body)); },
        ends_with("done")}};
    CHECK(w.run("go").at("result").as_string() == "done");
    CHECK(w.messages(1) ==
        in_order({user({text("go")}), assistant({block}), user({result("toolu_1", "ran")})}));
}

TEST_CASE("case 40 thinking_echo: thought, signature and call come back byte for byte")
{
    check_echo({block_start(0, R"({"type":"thinking","thinking":"","signature":""})"),
                   thinking_delta(R"(Look \u00e9 \/ )"), thinking_delta("first.\\n"),
                   signature_delta(R"(EqQB\/+==)"), block_stop(0)},
        R"({"type":"thinking","thinking":"Look \u00e9 \/ first.\n","signature":"EqQB\/+=="})");
}

TEST_CASE("case 41 redacted_echo: the data comes back byte for byte")
{
    const std::string raw = R"({"type":"redacted_thinking","data":"Em\/wKAhgB\u002b=="})";
    check_echo({block_start(0, raw), block_stop(0)}, raw);
}

TEST_CASE("case 42 omitted_thinking: an empty thought comes back with its signature, unseen")
{
    check_echo({block_start(0, R"({"type":"thinking","thinking":"","signature":""})"),
                   thinking_delta(""), signature_delta("Sig=="), block_stop(0)},
        R"({"type":"thinking","thinking":"","signature":"Sig=="})");
}

TEST_CASE("case 79 empty_text_filter: blank texts are not sent again, others as they are")
{
    std::vector<std::string> events;
    int index = 0;
    for (const auto* said : {"", "\n", " \t", " kept \n"}) {
        for (const auto& event : text_events(index, said))
            events.push_back(event);
        ++index;
    }
    check_echo(events, text(R"( kept \n)"));
}

TEST_CASE("case 79, a reply of nothing but blank text leaves no assistant message")
{
    wired w{{says(stream_of_blocks({call_events(0, "toolu_1", "bash", input)})),
        says(stream_of_blocks({text_events(0, " \n")}, "end_turn")), ends_with("done")}};
    CHECK(w.run("go").at("result").as_string() == "done");
    CHECK(w.messages(2) ==
        in_order({user({text("go")}), assistant({call("toolu_1", "bash", input)}),
            user({result("toolu_1", "ran"), text("Please continue.")})}));
}

TEST_CASE("case 83 raw_number_echo: the numbers of a call keep their spelling in the next request")
{
    const std::string numbers = R"({"n":1.0,"big":12345678901234567890})";
    wired w{{says(stream_of(
                 {tool_start(0, "toolu_1", "bash"), input_delta(0, R"({"n":1.0,"big":1234567890)"),
                     input_delta(0, "1234567890}"), block_stop(0)},
                 "tool_use")),
        ends_with("done"), ends_with("again")}};
    const auto task = w.run("go");
    const auto messages = w.messages(1);
    CHECK(messages.starts_with(
        in_order({user({text("go")}), assistant({call("toolu_1", "bash", numbers)})}) + ","));
    CHECK(messages.find(R"("is_error":true)") != std::string::npos);
    // From the state, after the daemon's death, they are the same.
    CHECK(w.agent().stop_daemon(SIGKILL) == 128 + SIGKILL);
    w.agent().start_daemon();
    CHECK(w.run_after(task, "more").at("result").as_string() == "again");
    CHECK(w.messages(2) == in_order({messages, assistant({text("done")}), user({text("more")})}));
}
