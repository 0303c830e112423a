#include "tests/proto/messages/stream.hpp"

#include <doctest/doctest.h>

using namespace agentd::testing;
using namespace agentd::proto::messages;

namespace {

const std::string head{start};
const std::string last{end_of_message};
const std::string open_text = begin(0, text_block_start);
const std::string ok = ending("end_turn");

} // namespace

TEST_CASE("case 1 full_text: text, end_turn, usage 25/15")
{
    const auto end = play({head, open_text, R"({"type":"ping"})", text_delta(0, "Hel"),
        text_delta(0, "lo"), stop(0), ok, last});
    REQUIRE(end.reply.has_value());
    CHECK(end.reply->content.size() == 1);
    CHECK(end.reply->content[0].text == "Hello");
    CHECK(end.reply->content[0].raw == R"({"type":"text","text":"Hello"})");
    CHECK(end.reply->stop_reason == "end_turn");
    CHECK(end.reply->usage.input == 25);
    CHECK(end.reply->usage.output == 15);
    CHECK(end.reply->usage.cache_read == 3);
    CHECK_FALSE(end.reply->usage.cache_write.has_value());
    CHECK(end.shown == "Hello");
    CHECK(end.remarks.empty());
}

TEST_CASE("cases 7 and 8 unknown_event, unknown_delta: skipped, the text is kept")
{
    const auto end = play({head, R"({"type":"future_event","x":[1]})", open_text,
        delta(0, R"({"type":"future_delta"})"), text_delta(0, "a"), stop(0), ok, last});
    REQUIRE(end.reply.has_value());
    CHECK(end.reply->content[0].text == "a");
    CHECK_FALSE(end.reply->replayable);
}

TEST_CASE("case 9 unknown_block: kept raw, not shown")
{
    const std::string_view raw = R"({"type":"future_block","n":1.0, "deep":{"a":[ 1 ]}})";
    const auto end = play({head, begin(0, raw), stop(0), ok, last});
    REQUIRE(end.reply.has_value());
    CHECK(end.reply->content[0].kind == block_kind::other);
    CHECK(end.reply->content[0].raw == raw);
    CHECK(end.shown.empty());
}

TEST_CASE("cases 11 and 12 no_message_stop, eof_mid_block: there is no reply")
{
    CHECK_FALSE(play({head, open_text, text_delta(0, "a"), stop(0), ok}).reply.has_value());
    CHECK_FALSE(play({head, open_text, text_delta(0, "a")}).reply.has_value());
}

TEST_CASE("case 16 error_event: typed, ends the stream")
{
    const auto end = play({head, open_text, text_delta(0, "a"),
        R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})", stop(0),
        ok, last});
    REQUIRE(end.failed.has_value());
    CHECK(end.failed->type == "overloaded_error");
    CHECK(end.failed->message == "Overloaded");
    CHECK_FALSE(end.reply.has_value());
}

TEST_CASE("cases 17 and 18 error_event_text, error_event_flat: the text or the top level tells")
{
    const auto text = decode("error", "upstream died");
    REQUIRE(text.has_value());
    CHECK(std::get<server_error>(*text).message == "upstream died");
    const auto flat =
        decode("error", R"({"code":500,"message":"slot gone","type":"server_error"})");
    REQUIRE(flat.has_value());
    CHECK(std::get<server_error>(*flat).type == "server_error");
    CHECK(std::get<server_error>(*flat).message == "slot gone");
}

// long: a table
TEST_CASE("cases 19 to 27: a tool's input as it may arrive")
{
    struct row {
        std::string_view what, start_block;
        std::vector<std::string> pieces;
        std::string_view stop_reason, input;
        input_state state;
        std::string_view echoed;
    };
    const std::string_view plain = R"({"type":"tool_use","id":"t","name":"bash","input":{}})";
    const std::string_view without = R"({"type":"tool_use","id":"t","name":"bash"})";
    const std::string_view filled =
        R"({"type":"tool_use","id":"t","name":"bash","input":{"a": 1.0}})";
    using enum input_state;
    const row table[] = {
        {"case 19 tool_no_delta", plain, {}, "tool_use", "{}", complete, "{}"},
        {"case 20 tool_empty_delta", plain, {""}, "tool_use", "{}", complete, "{}"},
        {"case 21 tool_split_escape", plain, {R"({"s":"\u00)", R"(e9","n":1)", "2}"}, "tool_use",
            R"({"s":"\u00e9","n":12})", complete, R"({"s":"\u00e9","n":12})"},
        {"case 22 tool_truncated_max_tokens", plain, {R"({"a":"x","b":"rm -rf /tm)"}, "max_tokens",
            R"({"a":"x","b":"rm -rf /tm)", cut_off,
            R"({"INVALID_JSON":"{\"a\":\"x\",\"b\":\"rm -rf /tm"})"},
        {"case 22, nothing had come of it", plain, {}, "max_tokens", "{}", cut_off, "{}"},
        {"case 22, it looks whole", plain, {"{\"a\":1}"}, "max_tokens", "{\"a\":1}", cut_off,
            "{\"a\":1}"},
        {"case 22, the window was full", plain, {}, "model_context_window_exceeded", "{}", cut_off,
            "{}"},
        {"case 23 tool_truncated_tool_use", plain, {"{\"a\":"}, "tool_use", "{\"a\":", cut_off,
            R"({"INVALID_JSON":"{\"a\":"})"},
        {"case 24 tool_invalid_json", plain, {"{\"a\": foo}"}, "tool_use", "{\"a\": foo}", invalid,
            R"({"INVALID_JSON":"{\"a\": foo}"})"},
        {"case 25 tool_input_not_object: array", plain, {"[1]"}, "tool_use", "[1]", invalid,
            R"({"INVALID_JSON":"[1]"})"},
        {"case 25 tool_input_not_object: string", plain, {"\"x\""}, "tool_use", "\"x\"", invalid,
            R"({"INVALID_JSON":"\"x\""})"},
        {"case 25 tool_input_not_object: null", plain, {"null"}, "tool_use", "null", invalid,
            R"({"INVALID_JSON":"null"})"},
        {"duplicate names", plain, {R"({"a":1,"a":2})"}, "tool_use", R"({"a":1,"a":2})", invalid,
            R"({"INVALID_JSON":"{\"a\":1,\"a\":2}"})"},
        {"something after the end", plain, {"{} {}"}, "tool_use", "{} {}", invalid,
            R"({"INVALID_JSON":"{} {}"})"},
        {"case 26 tool_start_without_input", without, {}, "tool_use", "{}", complete, "{}"},
        {"case 26, with deltas", without, {"{\"a\":1}"}, "tool_use", "{\"a\":1}", complete,
            "{\"a\":1}"},
        {"case 27 tool_input_in_start", filled, {}, "tool_use", "{\"a\": 1.0}", complete,
            "{\"a\": 1.0}"},
        {"case 27, with an empty delta", filled, {""}, "tool_use", "{\"a\": 1.0}", complete,
            "{\"a\": 1.0}"},
        {"case 83 raw_number_echo", plain, {R"({"n":1.0,"big":1234567890)", "1234567890}"},
            "tool_use", R"({"n":1.0,"big":12345678901234567890})", complete,
            R"({"n":1.0,"big":12345678901234567890})"},
        {"case 83, beyond 64 bits", plain, {R"({"big":123456789012345678901234567890})"},
            "tool_use", R"({"big":123456789012345678901234567890})", complete,
            R"({"big":123456789012345678901234567890})"},
    };
    for (const auto& r : table) {
        CAPTURE(r.what);
        std::vector<std::string> events{head, begin(0, r.start_block)};
        for (const auto& piece : r.pieces)
            events.push_back(input_delta(0, piece));
        events.insert(events.end(), {stop(0), ending(r.stop_reason), last});
        const auto end = play(events);
        REQUIRE(end.reply.has_value());
        REQUIRE(end.reply->content.size() == 1);
        const auto& made = end.reply->content[0];
        CHECK(made.kind == block_kind::tool_use);
        CHECK(made.id == "t");
        CHECK(made.name == "bash");
        CHECK(made.input == r.input);
        CHECK(made.input_is == r.state);
        CHECK(made.raw ==
            R"({"type":"tool_use","id":"t","name":"bash","input":)" + std::string{r.echoed} + "}");
    }
}

TEST_CASE("accumulator: members of a call's start that are not known here stay where they were")
{
    const auto end = play({head,
        begin(
            0, R"({"type":"tool_use","input":{},"id":"t","name":"b","caller":{"type":"direct"}})"),
        input_delta(0, "{\"a\":1}"), stop(0), ending("tool_use"), last});
    CHECK(end.reply->content[0].raw ==
        R"({"type":"tool_use","input":{"a":1},"id":"t","name":"b","caller":{"type":"direct"}})");
}

TEST_CASE("case 28 parallel_tools: both, in order")
{
    const auto end = play({head, begin(0, R"({"type":"tool_use","id":"a","name":"x","input":{}})"),
        stop(0), begin(1, R"({"type":"tool_use","id":"b","name":"y","input":{}})"), stop(1),
        ending("tool_use"), last});
    REQUIRE(end.reply->content.size() == 2);
    CHECK(end.reply->content[0].id == "a");
    CHECK(end.reply->content[1].id == "b");
}

TEST_CASE("case 29 interleaved_blocks: deltas go by index")
{
    const auto end = play({head, open_text, begin(1, text_block_start), text_delta(1, "B"),
        text_delta(0, "A"), text_delta(1, "b"), text_delta(0, "a"), stop(1), stop(0), ok, last});
    CHECK(end.reply->content[0].text == "Aa");
    CHECK(end.reply->content[1].text == "Bb");
}

TEST_CASE("case 30 index_gap: both texts are kept")
{
    const auto end = play({head, begin(2, text_block_start), open_text, text_delta(2, "two"),
        text_delta(0, "zero"), stop(0), stop(2), ok, last});
    REQUIRE(end.reply->content.size() == 2);
    CHECK(end.reply->content[0].text == "zero");
    CHECK(end.reply->content[1].text == "two");
}

TEST_CASE("case 31 index_negative_or_huge: a protocol error")
{
    CHECK_FALSE(play({head, begin(-1, text_block_start)}).error.empty());
    CHECK_FALSE(play(
        {head,
            R"({"type":"content_block_start","index":4294967295,"content_block":{"type":"text","text":""}})"})
            .error.empty());
    CHECK_FALSE(play({head, R"({"type":"content_block_start","index":1e1,"content_block":{}})"})
            .error.empty());
    CHECK_FALSE(play({head, R"({"type":"content_block_start","content_block":{}})"}).error.empty());
    CHECK_FALSE(play({head, delta(-1, R"({"type":"text_delta","text":"x"})")}).error.empty());
}

TEST_CASE(
    "case 32 double_message_start: one that changes nothing is passed over, a second message is an error")
{
    const auto twice = play({head, head, open_text, text_delta(0, "a"), stop(0), ok, last});
    REQUIRE(twice.reply.has_value());
    CHECK(twice.remarks.size() == 1);
    CHECK_FALSE(play({head, open_text, head}).error.empty());
    CHECK_FALSE(play({head, open_text, open_text}).error.empty());
}

TEST_CASE("case 33 delta_before_start: the stray one is passed over")
{
    const auto end = play({text_delta(0, "stray"), head, text_delta(0, "stray"), open_text,
        text_delta(0, "a"), stop(0), text_delta(0, "late"), stop(7), ok, last});
    REQUIRE(end.reply.has_value());
    CHECK(end.reply->content[0].text == "a");
    CHECK(end.shown == "a");
    CHECK(end.remarks.size() == 4);
    CHECK_FALSE(play({last}).error.empty());
}

TEST_CASE("case 34 delta_type_mismatch: ignored and remarked")
{
    const auto end = play({head, open_text, delta(0, R"({"type":"thinking_delta","thinking":"x"})"),
        input_delta(0, "{}"), delta(0, R"({"type":"signature_delta","signature":"x"})"),
        delta(0, R"({"type":"text_delta","text":5})"), text_delta(0, "a"), stop(0), ok, last});
    CHECK(end.reply->content[0].raw == R"({"type":"text","text":"a"})");
    CHECK(end.remarks.size() == 4);
    CHECK(end.reply->replayable);
}

TEST_CASE("case 35 two_message_delta: the last one wins")
{
    const auto end = play({head, ending("end_turn"), ending("tool_use"), last});
    CHECK(end.reply->stop_reason == "tool_use");
}

TEST_CASE("cases 40 to 42: thinking is echoed as it was spelt, whatever is in it")
{
    const auto end = play({head, begin(0, R"({"type":"thinking","thinking":"","signature":""})"),
        delta(0, R"({"type":"thinking_delta","thinking":"Look \u00e9 \/ "})"),
        delta(0, R"({"type":"thinking_delta","thinking":"first."})"),
        delta(0, R"({"type":"signature_delta","signature":"old"})"),
        delta(0, R"({"type":"signature_delta","signature":"Eq\/B=="})"), stop(0),
        begin(1, R"({"type":"redacted_thinking","data":"x\/y"})"), stop(1),
        begin(2, R"({"type":"thinking","thinking":""})"),
        delta(2, R"({"type":"thinking_delta","thinking":""})"),
        delta(2, R"({"type":"signature_delta","signature":"S"})"), stop(2), ok, last});
    REQUIRE(end.reply.has_value());
    CHECK(end.reply->content[0].kind == block_kind::thinking);
    CHECK(end.reply->content[0].raw ==
        R"({"type":"thinking","thinking":"Look \u00e9 \/ first.","signature":"Eq\/B=="})");
    CHECK(end.reply->content[1].kind == block_kind::thinking);
    CHECK(end.reply->content[1].raw == R"({"type":"redacted_thinking","data":"x\/y"})");
    CHECK(end.reply->content[2].raw == R"({"type":"thinking","thinking":"","signature":"S"})");
    CHECK(end.shown.empty());
}

TEST_CASE("case 43 usage_cumulative: later figures replace, null and nonsense leave them")
{
    const auto end = play({head,
        R"({"type":"message_delta","delta":{},"usage":{"output_tokens":7,"input_tokens":null,"cache_read_input_tokens":9}})",
        R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15,"cache_read_input_tokens":-1}})",
        last});
    CHECK(end.reply->usage.output == 15);
    CHECK(end.reply->usage.input == 25);
    CHECK(end.reply->usage.cache_read == 9);
}

TEST_CASE("cases 44 and 45 usage_missing, stop_absent: nothing is made up")
{
    const auto end = play({R"({"type":"message_start","message":{"id":"m"}})", open_text,
        text_delta(0, "a"), stop(0), R"({"type":"message_delta","delta":{}})", last});
    REQUIRE(end.reply.has_value());
    CHECK_FALSE(end.reply->usage.input.has_value());
    CHECK(end.reply->stop_reason.empty());
}

TEST_CASE("case 48 refusal: the explanation is kept")
{
    const auto end = play({head,
        R"({"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"type":"refusal","category":"c","explanation":"no"}}})",
        last});
    CHECK(end.reply->stop_reason == "refusal");
    CHECK(end.reply->refusal_explanation == "no");
}

TEST_CASE("accumulator: a code point whose halves come in two deltas is whole in the end")
{
    const auto end = play({head, open_text, delta(0, R"({"type":"text_delta","text":"a\ud83d"})"),
        delta(0, R"({"type":"text_delta","text":"\ude00b"})"), stop(0), begin(1, text_block_start),
        delta(1, R"({"type":"text_delta","text":"x\ud83d"})"), stop(1), ok, last});
    REQUIRE(end.reply.has_value());
    CHECK(end.reply->content[0].text == "a\U0001F600b");
    CHECK(end.reply->content[0].raw == R"({"type":"text","text":"a\ud83d\ude00b"})");
    CHECK(end.reply->content[1].raw == "{\"type\":\"text\",\"text\":\"x\uFFFD\"}");
}

TEST_CASE("accumulator: text in the start block, citations, server tools")
{
    const auto end = play({head, begin(0, R"({"type":"text","text":"He","citations":null})"),
        text_delta(0, "y"), delta(0, R"({"type":"citations_delta","citation":{"n":1.0}})"),
        delta(0, R"({"type":"citations_delta","citation":{"n":2}})"), stop(0),
        begin(1, R"({"type":"server_tool_use","id":"s","name":"web","input":{}})"),
        input_delta(1, "{\"q\":1.0}"), stop(1), ok, last});
    REQUIRE(end.reply.has_value());
    CHECK(end.shown == "Hey");
    CHECK(end.reply->content[0].raw ==
        R"({"type":"text","text":"Hey","citations":[{"n":1.0},{"n":2}]})");
    CHECK(end.reply->content[1].kind == block_kind::other);
    CHECK(end.reply->content[1].raw ==
        R"({"type":"server_tool_use","id":"s","name":"web","input":{"q":1.0}})");
}

TEST_CASE("accumulator: llama.cpp's order, all stops at the very end, is accepted")
{
    const auto end = play({head, begin(0, R"({"type":"thinking","thinking":""})"),
        begin(1, text_block_start), begin(2, R"({"type":"tool_use","id":"t","name":"b"})"),
        input_delta(2, "{}"), text_delta(1, "x"),
        delta(0, R"({"type":"thinking_delta","thinking":"y"})"),
        delta(0, R"({"type":"signature_delta","signature":""})"), stop(0), stop(1), stop(2),
        R"({"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":3}})",
        last});
    REQUIRE(end.reply.has_value());
    CHECK(end.reply->content[0].raw == R"({"type":"thinking","thinking":"y","signature":""})");
    CHECK(end.reply->content[2].input == "{}");
    CHECK(end.remarks.empty());
}
