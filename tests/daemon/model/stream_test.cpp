// Replies that come as a stream, over real sockets: whole ones, strange ones, broken ones.
#include "tests/daemon/model/asked.hpp"

#include <doctest/doctest.h>

using namespace agentd::testing;
using namespace agentd;

namespace {

// Head, `stream` in one chunk, and then `then` instead of the last chunk.
byte_server::script broken_stream(std::string stream, void (peer::*then)())
{
    return [stream = std::move(stream), then](peer& with) {
        with.read_request();
        with.send(stream_head() + chunk(stream));
        (with.*then)();
    };
}

std::string half_stream()
{
    return sse({start_event(), text_start(0), text_delta(0, "partial")});
}

std::string replaced(std::string text, std::string_view what, std::string_view with)
{
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
    return text;
}

} // namespace

TEST_CASE("case 1 full_text: text, end_turn, usage 25/15")
{
    const auto got = from_stream(text_stream());
    check_hello(got);
    CHECK(got.outcome->request_id == "req_7");
    CHECK(got.outcome->model == "m");
    CHECK(got.outcome->first_token.has_value());
}

TEST_CASE("case 2 bytewise: one byte per write is the same")
{
    check_hello(from([](peer& with) {
        with.read_request();
        with.send_bytewise(streamed(text_stream()));
    }));
}

TEST_CASE("case 3 crlf: CRLF line ends in odd chunks")
{
    const std::string stream = replaced(text_stream(), "\n", "\r\n");
    std::string body;
    for (std::size_t at = 0, size = 1; at < stream.size(); at += size, size = size % 13 + 1)
        body += chunk(std::string_view{stream}.substr(at, size));
    check_hello(from(once(stream_head() + body + last_chunk())));
}

TEST_CASE("case 4 cr_only: lone CR, also as the last byte of a read")
{
    check_hello(from([](peer& with) {
        with.read_request();
        with.send_bytewise(streamed(replaced(text_stream(), "\n", "\r")));
    }));
}

TEST_CASE("case 5 bom_comments_id_retry")
{
    const std::string spaceless =
        replaced(replaced(text_stream(), "data: ", "data:"), "event: ", "event:");
    check_hello(from_stream("\xEF\xBB\xBF: hi\nid: 1\nretry: 5\n" + spaceless));
}

TEST_CASE("case 6 multiline_data: JSON over two lines")
{
    check_hello(from_stream(replaced(text_stream(), "\"index\":0,", "\"index\":\ndata: 0,")));
}

TEST_CASE("case 7 unknown_event between the others")
{
    check_hello(from_stream("event: future_event\ndata: what?\n\n" + text_stream()));
}

TEST_CASE("case 10 ping_everywhere")
{
    check_hello(from_stream("event: ping\ndata: {\"type\": \"ping\"}\n\n" +
        replaced(text_stream(), "\n\n", "\n\nevent: ping\ndata: {}\n\n")));
}

TEST_CASE("case 10, pings keep a stream alive that says nothing else for longer than the limit")
{
    using namespace std::chrono_literals;
    const byte_server server{{[](peer& with) {
        with.read_request();
        with.send(stream_head());
        for (int i = 0; i < 12; ++i) {
            with.client_leaves(100ms); // the pause: it does not
            with.send(chunk("event: ping\ndata: {\"type\": \"ping\"}\n\n"));
        }
        with.send(chunk(text_stream()) + last_chunk());
    }}};
    auto with = options_for(server);
    with.limits.idle = 1s;
    const auto got = ask(with);
    check_hello(got);
    CHECK(got.took >= 1200ms);
}

TEST_CASE("case 11 no_message_stop: incomplete")
{
    const auto got = from_stream(
        sse({start_event(), text_start(0), text_delta(0, "a"), block_stop(0), ending("end_turn")}));
    CHECK(got.type() == "connection_lost");
    CHECK(got.outcome.error().attempts == 1);
}

TEST_CASE("case 12 eof_mid_block: incomplete")
{
    CHECK(from(broken_stream(half_stream(), &peer::cut)).type() == "connection_lost");
}

TEST_CASE("case 13 eof_without_blank: the last event does not count")
{
    std::string stream = text_stream();
    stream.pop_back();
    CHECK(from_stream(stream).type() == "connection_lost");
}

TEST_CASE("case 15 reset_mid_stream: discarded, and sent again as one more attempt (DESIGN 5)")
{
    CHECK(from(broken_stream(half_stream(), &peer::reset)).type() == "connection_lost");
    const byte_server server{
        {broken_stream(half_stream(), &peer::reset), answering(streamed(text_stream()))}};
    auto with = options_for(server);
    with.retry_attempts = 2;
    const auto got = ask(with);
    REQUIRE(got.outcome.has_value());
    CHECK(got.outcome->attempts == 2);
    CHECK(got.shown == got.text());
    CHECK(server.requests().at(0) == server.requests().at(1));
}

TEST_CASE("case 16 error_event: typed overloaded, the part before it is gone")
{
    const auto got = from_stream(half_stream() +
        sse({R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})"}));
    CHECK(got.type() == "overloaded_error");
    CHECK(got.message().find("Overloaded") != std::string::npos);
    CHECK_FALSE(got.outcome.error().status.has_value());
}

TEST_CASE("case 17 error_event_text: the text is the error")
{
    CHECK(from_stream(half_stream() + "event: error\ndata: upstream died\n\n")
              .message()
              .find("upstream died") != std::string::npos);
}

TEST_CASE("case 18 error_event_flat: read from the top level")
{
    const auto got = from_stream(half_stream() +
        "event: error\ndata: {\"code\":500,\"message\":\"slot\",\"type\":\"server_error\"}\n\n");
    CHECK(got.type() == "server_error");
}

TEST_CASE("case 22 tool_truncated_max_tokens: the call comes out as cut off")
{
    const auto got = from_stream(sse({start_event(),
        R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"bash","input":{}}})",
        R"({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":\"x\",\"b\":\"rm -rf /tm"}})",
        block_stop(0), ending("max_tokens"), stop_event()}));
    REQUIRE(got.outcome.has_value());
    CHECK(got.outcome->stop == model::stop_reason::max_tokens);
    CHECK(got.outcome->content.at(0).input_is == model::input_state::cut_off);
}

TEST_CASE("case 31 index_negative_or_huge: a protocol error")
{
    CHECK(from_stream(sse({start_event(), text_start(-1)})).type() == "protocol_error");
    CHECK(
        from_stream(
            sse({start_event(),
                R"({"type":"content_block_start","index":4294967295,"content_block":{"type":"text","text":""}})"}))
            .type() == "protocol_error");
}

TEST_CASE("case 36 data_only: no event lines")
{
    std::string bare;
    for (const auto& part : {start_event(), text_start(0), text_delta(0, "Hello \u00e9\U0001F600"),
             block_stop(0), ending("end_turn"), stop_event()})
        bare += "data: " + part + "\n\n";
    check_hello(from_stream(bare));
}

TEST_CASE("case 37 done_trailer: what follows message_stop is nothing, the connection lives on")
{
    const byte_server server{{answering(streamed(text_stream() + "data: [DONE]\n\n"))}};
    const auto all = ask_in_turn(options_for(server), 2);
    check_hello(all[0]);
    check_hello(all[1]);
    CHECK(server.connections() == 1);
}

TEST_CASE("case 48 refusal: a reply that says so, no retry")
{
    const byte_server server{{answering(streamed(sse({start_event(), text_start(0),
        text_delta(0, "I"), block_stop(0),
        R"({"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"type":"refusal","explanation":"no"}}})",
        stop_event()})))}};
    auto with = options_for(server);
    with.retry_attempts = 3;
    const auto got = ask(with);
    REQUIRE(got.outcome.has_value());
    CHECK(got.outcome->stop == model::stop_reason::refusal);
    CHECK(got.outcome->refusal_explanation == "no");
    CHECK(server.requests().size() == 1);
}
