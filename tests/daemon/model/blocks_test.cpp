// What a stream's blocks become, over real sockets: their order, their bytes, what is unknown,
// what comes at the wrong time; and the figures behind them.
#include "tests/daemon/model/asked.hpp"

#include <doctest/doctest.h>

using namespace agentd::testing;
using namespace agentd;

namespace {

model::reply complete(std::string_view stream)
{
    auto got = from_stream(stream);
    REQUIRE_MESSAGE(got.outcome.has_value(), got.message());
    return std::move(*got.outcome);
}

const std::string thinking_start = R"({"type":"thinking","thinking":"","signature":""})";

std::string thinking_delta(int index, std::string_view spelt)
{
    return block_delta(
        index, R"({"type":"thinking_delta","thinking":")" + std::string{spelt} + R"("})");
}

std::string signature_delta(int index, std::string_view spelt)
{
    return block_delta(
        index, R"({"type":"signature_delta","signature":")" + std::string{spelt} + R"("})");
}

} // namespace

TEST_CASE("case 8 unknown_delta: skipped, the text around it is kept")
{
    const auto got = complete(stream_of({text_start(0), text_delta(0, "a"),
        block_delta(0, R"({"type":"future_delta","x":[1,{"y":2}]})"), text_delta(0, "b"),
        block_stop(0)}));
    REQUIRE(got.content.size() == 1);
    CHECK(got.content[0].text == "ab");
    CHECK(got.content[0].raw == R"({"type":"text","text":"ab"})");
    CHECK_FALSE(got.replayable);
}

TEST_CASE("case 9 unknown_block: its bytes are kept for the echo, nothing of it is shown")
{
    const std::string raw = R"({"type":"future_block","n":1.0, "deep":{"text":[ "\u00e9" ]}})";
    const auto got = from_stream(stream_of(
        {block_start(0, raw), block_stop(0), text_start(1), text_delta(1, "seen"), block_stop(1)}));
    REQUIRE(got.outcome.has_value());
    CHECK(got.shown == "seen");
    REQUIRE(got.outcome->content.size() == 2);
    CHECK(got.outcome->content[0].kind == model::block_kind::other);
    CHECK(got.outcome->content[0].raw == raw);
    CHECK(model::history_content(*got.outcome) == "[" + raw + R"(,{"type":"text","text":"seen"}])");
}

TEST_CASE("case 29 interleaved_blocks: deltas of two open blocks go by their index")
{
    const auto got = complete(stream_of({text_start(0), text_start(1), text_delta(1, "B"),
        text_delta(0, "A"), text_delta(1, "b"), text_delta(0, "a"), block_stop(1), block_stop(0)}));
    REQUIRE(got.content.size() == 2);
    CHECK(got.content[0].text == "Aa");
    CHECK(got.content[1].text == "Bb");
}

TEST_CASE("case 30 index_gap: blocks 0 and 2 are both kept")
{
    const auto got = complete(stream_of({text_start(0), text_delta(0, "zero"), block_stop(0),
        text_start(2), text_delta(2, "two"), block_stop(2)}));
    REQUIRE(got.content.size() == 2);
    CHECK(got.content[0].text == "zero");
    CHECK(got.content[1].text == "two");
}

TEST_CASE(
    "case 32 double_message_start: the same again is ignored, within a message it is an error")
{
    const auto got = complete(sse({start_event(), start_event(), text_start(0), text_delta(0, "a"),
        block_stop(0), ending("end_turn"), stop_event()}));
    CHECK(got.content.at(0).text == "a");
    CHECK(got.usage.input == 25);
    CHECK(
        from_stream(sse({start_event(), text_start(0), start_event()})).type() == "protocol_error");
}

TEST_CASE("case 33 delta_before_start: the stray one is ignored")
{
    const auto got = from_stream("data: " + text_delta(0, "before all") + "\n\n" +
        sse({text_delta(0, "stray"), start_event(), text_delta(0, "stray"), text_start(0),
            text_delta(0, "a"), block_stop(0), text_delta(0, "late"), ending("end_turn"),
            stop_event()}));
    REQUIRE_MESSAGE(got.outcome.has_value(), got.message());
    CHECK(got.outcome->content.at(0).text == "a");
    CHECK(got.shown == "a");
}

TEST_CASE("case 34 delta_type_mismatch: what belongs to another kind of block is ignored")
{
    const auto got = complete(stream_of({text_start(0), thinking_delta(0, "x"),
        input_delta(0, "{}"), signature_delta(0, "s"), text_delta(0, "a"), block_stop(0)}));
    REQUIRE(got.content.size() == 1);
    CHECK(got.content[0].raw == R"({"type":"text","text":"a"})");
    CHECK(got.replayable);
}

TEST_CASE("case 35 two_message_delta: the last stop_reason wins")
{
    const auto got = complete(sse({start_event(), tool_start(0, "toolu_1", "bash"), block_stop(0),
        ending("end_turn"), ending("tool_use"), stop_event()}));
    CHECK(got.stop == model::stop_reason::tool_use);
}

TEST_CASE("case 40 thinking_echo: thinking, signature and call keep their spelling and order")
{
    const auto got = from_stream(stream_of(
        {block_start(0, thinking_start), thinking_delta(0, R"(Look \u00e9 \/ )"),
            thinking_delta(0, "first."), signature_delta(0, "old"),
            signature_delta(0, R"(Eq\/B==)"), block_stop(0), tool_start(1, "toolu_1", "bash"),
            input_delta(1, R"({ "command" : "ls)"), input_delta(1, R"(" })"), block_stop(1)},
        "tool_use"));
    REQUIRE(got.outcome.has_value());
    CHECK(got.shown.empty());
    CHECK(model::history_content(*got.outcome) ==
        R"([{"type":"thinking","thinking":"Look \u00e9 \/ first.","signature":"Eq\/B=="},)"
        R"({"type":"tool_use","id":"toolu_1","name":"bash","input":{ "command" : "ls" }}])");
}

TEST_CASE("case 41 redacted_echo: the data comes out as it came")
{
    const std::string raw = R"({"type":"redacted_thinking","data":"Em\/wKAhgB\u002b=="})";
    const auto got = complete(stream_of({block_start(0, raw), block_stop(0)}));
    CHECK(got.content.at(0).kind == model::block_kind::thinking);
    CHECK(model::history_content(got) == "[" + raw + "]");
}

TEST_CASE("case 42 omitted_thinking: an empty thought with a signature is echoed, nothing is shown")
{
    const auto got = from_stream(stream_of({block_start(0, R"({"type":"thinking","thinking":""})"),
        thinking_delta(0, ""), signature_delta(0, "Sig"), block_stop(0)}));
    REQUIRE(got.outcome.has_value());
    CHECK(got.shown.empty());
    CHECK(model::history_content(*got.outcome) ==
        R"([{"type":"thinking","thinking":"","signature":"Sig"}])");
}

TEST_CASE("case 43 usage_cumulative: 1, 7 and 15 make 15; a null leaves what was known")
{
    const auto got = complete(sse({start_event(), text_start(0), block_stop(0),
        R"({"type":"message_delta","delta":{},"usage":{"output_tokens":7,"cache_read_input_tokens":9}})",
        R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15,"input_tokens":null}})",
        stop_event()}));
    CHECK(got.usage.input == 25);
    CHECK(got.usage.output == 15);
    CHECK(got.usage.cache_read == 9);
    CHECK(got.usage.cache_write == 0);
}

TEST_CASE("case 44 usage_missing: zeros, in a stream and in one message")
{
    const auto got = complete(sse({R"({"type":"message_start","message":{"id":"m"}})",
        text_start(0), text_delta(0, "a"), block_stop(0),
        R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})", stop_event()}));
    CHECK(got.content.at(0).text == "a");
    CHECK(got.usage.input == 0);
    CHECK(got.usage.output == 0);
    const byte_server server{{once(reply(200, "application/json",
        R"({"content":[{"type":"text","text":"b"}],"stop_reason":"end_turn"})"))}};
    const auto whole = ask(options_for(server));
    CHECK(whole.text() == "b");
    CHECK(whole.outcome->usage.output == 0);
}

TEST_CASE("case 45 stop_absent: no stop_reason, or null, is the unknown one and no error")
{
    for (const std::string_view delta : {R"({})", R"({"stop_reason":null})"}) {
        const auto got =
            complete(sse({start_event(), text_start(0), text_delta(0, "a"), block_stop(0),
                R"({"type":"message_delta","delta":)" + std::string{delta} + "}", stop_event()}));
        CHECK(got.stop == model::stop_reason::other);
        CHECK(got.content.at(0).text == "a");
    }
}
