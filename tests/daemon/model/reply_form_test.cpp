// The HTTP around a reply, over real sockets: no body, another body than a stream, its framing,
// its head.
#include "tests/daemon/model/asked.hpp"

#include <doctest/doctest.h>

using namespace agentd::testing;
using namespace agentd;

TEST_CASE("case 14 empty_200: said so, one attempt, however there is nothing")
{
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    for (const auto& nothing :
        {testing::reply(200, "text/event-stream", ""), testing::reply(200, "application/json", ""),
            stream_head() + last_chunk(), ok + "content-length: 0\r\n\r\n", ok + "\r\n"}) {
        const byte_server server{{once(nothing)}};
        auto with = options_for(server);
        with.retry_attempts = 5;
        const auto got = ask(with);
        CHECK(got.message().find("empty response") != std::string::npos);
        CHECK(server.requests().size() == 1);
    }
}

TEST_CASE("case 38 json_for_stream: a gateway that ignored `stream`")
{
    const auto got = from(once(testing::reply(200, "application/json; charset=utf-8",
        R"({"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}})")));
    CHECK(got.text() == "Hi");
}

TEST_CASE("case 22, in one JSON message: its last call comes out as cut off")
{
    const auto got = from(once(testing::reply(200, "application/json",
        R"({"content":[{"type":"tool_use","id":"t","name":"bash","input":{"command":"ls"}}],"stop_reason":"max_tokens"})")));
    REQUIRE(got.outcome.has_value());
    CHECK(got.outcome->content.at(0).input_is == model::input_state::cut_off);
}

TEST_CASE("case 39 html_200: the error names the content-type")
{
    const auto got =
        from(once(testing::reply(200, "text/html", "<html>Welcome to the hotel's network</html>")));
    CHECK(got.type() == "protocol_error");
    CHECK(got.message().find("text/html") != std::string::npos);
    CHECK(got.message().find("hotel") != std::string::npos);
}

TEST_CASE("case 47 content_null: an empty answer")
{
    const auto got = from(once(testing::reply(
        200, "application/json", R"({"id":"m","content":null,"stop_reason":"end_turn"})")));
    REQUIRE(got.outcome.has_value());
    CHECK(got.outcome->content.empty());
    CHECK(model::history_content(*got.outcome).empty());
}

TEST_CASE("case 65 chunk_extensions_trailers: accepted")
{
    const std::string stream = text_stream();
    check_hello(from(once(stream_head() + std::to_string(5) + ";x=y\r\n" + stream.substr(0, 5) +
        "\r\n" + chunk(std::string_view{stream}.substr(5)) + "0\r\nx-sum: 1\r\n\r\n")));
}

TEST_CASE("case 66 long_stream: more than 8 MB of events behind more than 8 KB of head")
{
    std::string padding = "x-policy: " + std::string(12'000, 'p') + "\r\n";
    const std::string piece(100'000, 'y');
    std::vector<std::string> events{start_event(), text_start(0)};
    for (int i = 0; i < 100; ++i)
        events.push_back(text_delta(0, piece));
    events.insert(events.end(), {block_stop(0), ending("end_turn"), stop_event()});
    const auto got = from(once(stream_head(padding) + chunk(sse(events)) + last_chunk()));
    CHECK(got.text().size() == 10'000'000);
}

TEST_CASE("case 73 gzip_reply: a named error")
{
    const auto got = from(
        once(testing::reply(200, "application/json", "\x1f\x8b", "content-encoding: gzip\r\n")));
    CHECK(got.message().find("gzip") != std::string::npos);
}

TEST_CASE("a stream without length or chunks ends with the connection")
{
    const std::string head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    check_hello(from(once(head + text_stream())));
    CHECK(from(once(head + sse({start_event(), text_start(0), text_delta(0, "partial")}))).type() ==
        "connection_lost");
}

TEST_CASE("interim replies are passed over, a head without end is refused")
{
    check_hello(
        from(once("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" +
            streamed(text_stream()))));
    CHECK(from(once("HTTP/1.1 200 OK\r\nx: " + std::string(200'000, 'x'))).type() ==
        "protocol_error");
    CHECK(from(once("SSH-2.0-OpenSSH_9.2\r\n\r\n")).type() == "protocol_error");
    std::string many;
    for (int i = 0; i < 40; ++i)
        many += "HTTP/1.1 103 Early Hints\r\n\r\n";
    CHECK(from(once(many)).type() == "protocol_error");
}
