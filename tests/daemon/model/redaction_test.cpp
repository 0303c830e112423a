// What a server quotes of the credential, through real sockets: no part of it is shown where a
// text is cut, and what decides is what came, however short the credential is.
#include "tests/daemon/model/ear.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view key = "sk-canary-4711";

// `bytes` of which the key is the last, so that what shows `shown` of them shows half of it.
std::string crossing(std::size_t shown, std::string_view before = "")
{
    return std::string{before} + std::string(shown - before.size() - key.size() / 2, 'y') +
        std::string{key};
}

std::string error_event(std::string_view data)
{
    return streamed("event: error\ndata: " + std::string{data} + "\n\n");
}

void check_hidden(const std::string& bytes, std::string_view reason)
{
    const byte_server server{{answering(bytes)}};
    const auto got = ask(options_for(server));
    REQUIRE_FALSE(got.outcome.has_value());
    const auto& why = got.outcome.error();
    CHECK_MESSAGE(why.message.find(reason) != std::string::npos, why.message);
    for (const auto* text : {&why.type, &why.message, &why.request_id})
        CHECK_MESSAGE(text->find("sk-") == std::string::npos, *text);
}

model::options with_key(const byte_server& server, std::string_view word)
{
    auto with = options_for(server);
    with.key.value = word;
    return with;
}

std::string refusal(int status, std::string_view type, std::string_view message)
{
    return testing::reply(status, "application/json",
        R"({"type":"error","error":{"type":")" + std::string{type} + R"(","message":")" +
            std::string{message} + "\"}}");
}

} // namespace

TEST_CASE("case 74, the key across the end of what is shown of an error in a stream")
{
    check_hidden(error_event(crossing(200)), "yyy");
    check_hidden(error_event("{\"a\":\"" + crossing(194) + "\"}"), "yyy");
    check_hidden(streamed("data: {\"type\":\"error\",\"a\":\"" + crossing(179) + "\"}\n\n"), "yyy");
    const std::string begins = "event: message_start\ndata: ";
    check_hidden(streamed(begins + "{\"a\":" + crossing(20, "t") + "}\n\n"), "is no value");
    const auto name = "\"" + crossing(80) + "\":1";
    check_hidden(streamed(begins + "{" + name + "," + name + "}\n\n"), "occurs twice");
}

TEST_CASE("case 74, the key across the end of what is shown of a reply that is no message")
{
    check_hidden(
        testing::reply(200, "application/json", "{\"a\":\"" + crossing(194) + "\"}"), "no message");
    check_hidden(testing::reply(200, "application/json", "{\"a\":" + crossing(20, "t") + "}"),
        "is no value");
}

TEST_CASE("case 74, the key across the end of what is shown of a request's id")
{
    const auto field = "request-id: " + crossing(200) + "\r\n";
    check_hidden(api_error(500, "api_error", field), "yyy");
    check_hidden(testing::reply(500, "application/json",
                     "{\"request_id\":\"" + crossing(200) + "\",\"error\":{\"message\":\"m\"}}"),
        "yyy");
    const auto got = from(once(testing::reply(200, "text/event-stream", text_stream(), field)));
    REQUIRE(got.outcome.has_value());
    CHECK(got.outcome->request_id.find("yyy") == 0);
    CHECK(got.outcome->request_id.find("sk-") == std::string::npos);
}

TEST_CASE("a credential that is a word: what a refusal means is not lost with it")
{
    const byte_server full{
        {answering(refusal(400, "invalid_request_error", "prompt is too long: 9 > 8 maximum"))}};
    const auto got = ask(with_key(full, "prompt"));
    CHECK(got.outcome.error().too_long);
    CHECK(got.message().find("[credential] is too long") != std::string::npos);

    const byte_server busy{{[](peer& with) {
        for (auto request = with.read_request(); !request.empty(); request = with.read_request())
            with.send(request.find("claude-test") == std::string::npos
                    ? streamed(text_stream())
                    : error_event(R"({"error":{"type":"overloaded_error","message":"busy"}})"));
    }}};
    auto with = with_key(busy, "overload");
    with.fallback = {"claude-other"};
    CHECK(ask(with).fallbacks.size() == 1);

    const byte_server capped{{answering(testing::reply(429, "application/json",
        R"({"error":{"type":"rate_limit_error","message":"no","details":{"error_code":"enforced_spend_limit_reached"}}})"))}};
    with = with_key(capped, "spend");
    with.retry_attempts = 2;
    CHECK(ask(with).outcome.error().attempts == 1);
}

TEST_CASE("a credential that is a word: the model's name stays, its price goes by it")
{
    const byte_server server{{answering(streamed(sse(
        {R"({"type":"message_start","message":{"id":"msg_1","model":"claude-test","content":[],"usage":{"input_tokens":1,"output_tokens":1}}})",
            ending("end_turn"), stop_event()})))}};
    const auto got = ask(with_key(server, "test"));
    REQUIRE_MESSAGE(got.outcome.has_value(), got.message());
    CHECK(got.outcome->model == "claude-test");

    // A name that was not asked for may be a quotation.
    const byte_server quoting{{answering(streamed(sse(
        {R"({"type":"message_start","message":{"id":"msg_1","model":"m sk-canary-4711","content":[],"usage":{"input_tokens":1,"output_tokens":1}}})",
            ending("end_turn"), stop_event()})))}};
    CHECK(ask(options_for(quoting)).outcome->model == "m [credential]");
}

namespace {

aio::awaitable<> look_up(aio::executor io, model::options with, std::optional<std::int64_t>& into)
{
    const auto client = model::make_client(io, std::move(with));
    const auto got = co_await client->input_limit("claude-test");
    into = got;
}

} // namespace

TEST_CASE("a credential that is a word: the model's limits are read as they are")
{
    const byte_server server{
        {answering(testing::reply(200, "application/json", R"({"max_input_tokens":1000000})"))}};
    for (const auto* word : {"1000", "max"}) {
        std::optional<std::int64_t> got;
        run_coro([&](aio::executor io) { return look_up(io, with_key(server, word), got); });
        CHECK(got == 1'000'000);
    }
}
