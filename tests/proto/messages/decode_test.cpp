#include "proto/messages/decode.hpp"
#include "proto/messages/encode.hpp"

#include <doctest/doctest.h>

using namespace agentd::proto::messages;

TEST_CASE("case 36 data_only: without an event's name the JSON's type tells")
{
    const auto event = decode("", R"({"type":"content_block_stop","index":3})");
    REQUIRE(event.has_value());
    CHECK(std::get<block_stop>(*event).index == 3);
    CHECK(std::holds_alternative<message_stop>(*decode("message_stop", "{}")));
}

TEST_CASE("cases 10 and 37 ping_everywhere, done_trailer: skipped, whatever their data")
{
    CHECK(std::holds_alternative<skipped>(*decode("ping", "not json")));
    CHECK(std::holds_alternative<skipped>(*decode("", R"({"type":"ping"})")));
    CHECK(std::holds_alternative<skipped>(*decode("", "[DONE]")));
    CHECK(std::holds_alternative<skipped>(*decode("future_event", "not json")));
}

TEST_CASE("decode: an event that has to be understood and is no JSON is an error")
{
    CHECK(decode("content_block_delta", "{\"type\":").error().is(errc::bad_reply));
    CHECK(decode("", "nonsense").error().is(errc::bad_reply));
    CHECK(decode("content_block_start", R"({"type":"content_block_start","index":0})")
            .error()
            .is(errc::bad_reply));
}

TEST_CASE("case 38 json_for_stream: a whole message is read, blocks byte for byte")
{
    const auto reply =
        decode_message(R"({"id":"msg_1","model":"m","content":[ {"type":"text","text":"Hi"},
        {"type":"tool_use","id":"t","name":"bash","input":{"n":1.0}} ],"stop_reason":"tool_use",
        "usage":{"input_tokens":12,"output_tokens":34,"cache_creation_input_tokens":5,"cache_read_input_tokens":2048}})");
    REQUIRE(reply.has_value());
    CHECK(reply->content[0].text == "Hi");
    CHECK(
        reply->content[1].raw == R"({"type":"tool_use","id":"t","name":"bash","input":{"n":1.0}})");
    CHECK(reply->content[1].input == R"({"n":1.0})");
    CHECK(reply->usage.cache_write == 5);
    CHECK(reply->stop_reason == "tool_use");
}

TEST_CASE("case 47 content_null: an empty answer")
{
    const auto reply = decode_message(R"({"id":"m","content":null,"stop_reason":"end_turn"})");
    REQUIRE(reply.has_value());
    CHECK(reply->content.empty());
    CHECK(decode_message(R"({"type":"error","error":{"message":"no"}})").error().text.find("no") !=
        std::string::npos);
    CHECK_FALSE(decode_message("[1]").has_value());
    CHECK_FALSE(decode_message("{}").has_value());
}

TEST_CASE("case 59 s413_html and others: any body of an error says something")
{
    auto e = decode_error(
        R"({"type":"error","error":{"type":"rate_limit_error","message":"slow","details":{"error_code":"enforced_spend_limit_reached"}},"request_id":"req_1"})");
    CHECK(e.type == "rate_limit_error");
    CHECK(e.message == "slow");
    CHECK(e.code == "enforced_spend_limit_reached");
    CHECK(e.request_id == "req_1");
    e = decode_error("<html>\n<h1>413 Request Entity Too Large</h1>\x1b[31m");
    CHECK(e.type.empty());
    CHECK(e.message.find("413 Request") != std::string::npos);
    CHECK(e.message.find('\x1b') == std::string::npos);
    CHECK(decode_error("").message.empty());
    CHECK(decode_error(R"({"error":"plain"})").message == "plain");
    CHECK(decode_error(R"({"error":{"code":500,"message":"m","type":"t"}})").type == "t");
    CHECK(decode_error(std::string(100'000, 'x')).message.size() == 200);
}

TEST_CASE("decode: half a surrogate pair in a block is not sent back, all else stays as it came")
{
    const auto reply = decode_message(
        R"({"content":[{"type":"text","text":"a\ud800b","n": 1.0,"more":["\ud83d\ude00",{"k":"\udc00"}],"same":{ "a": [1, 2] }}]})");
    REQUIRE(reply.has_value());
    CHECK(reply->content[0].raw ==
        "{\"type\":\"text\",\"text\":\"a\uFFFDb\",\"n\":1.0,"
        "\"more\":[\"\\ud83d\\ude00\",{\"k\":\"\uFFFD\"}],\"same\":{ \"a\": [1, 2] }}");
    CHECK(text_of(content_of(std::vector{reply->content[0].raw})).has_value());
}

TEST_CASE("decode: an input in the start block with half a surrogate pair is not run")
{
    const auto reply = decode_message(
        R"({"content":[{"type":"tool_use","id":"t","name":"bash","input":{"command":"\ud800"}}]})");
    REQUIRE(reply.has_value());
    CHECK(reply->content[0].input_is == input_state::invalid);
    CHECK(tool_use_ids(content_of(std::vector{reply->content[0].raw})).has_value());
}

TEST_CASE("decode: what is nested so deeply that the history could not be read is refused")
{
    const auto nested = [](std::size_t depth) {
        return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
    };
    const auto with_input = [](const std::string& input) {
        const auto start =
            agentd::proto::json::parse_object(R"({"type":"tool_use","id":"t","input":{}})");
        return finish_block({.start = &start->self(), .changed = {}, .input = input});
    };
    const auto fits = with_input(nested(reply_depth));
    CHECK(fits.input_is == input_state::complete);
    CHECK(tool_use_ids(content_of(std::vector{fits.raw})).has_value());
    const auto deep = with_input(nested(reply_depth + 1));
    CHECK(deep.input_is == input_state::invalid);
    CHECK(tool_use_ids(content_of(std::vector{deep.raw})).has_value());
    CHECK_FALSE(decode("content_block_start",
        R"({"type":"content_block_start","index":0,"content_block":)" + nested(reply_depth) + "}"));
}
