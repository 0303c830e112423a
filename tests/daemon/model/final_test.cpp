// What is final, for one request or for all, and what a failure says to whom it concerns.
#include "tests/daemon/model/asked.hpp"

#include <doctest/doctest.h>

#include <atomic>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

namespace {

std::string error_of(int status, std::string_view type, std::string_view message)
{
    return reply(status, "application/json",
        R"({"type":"error","error":{"type":")" + std::string{type} + R"(","message":")" +
            std::string{message} + "\"}}");
}

// A stream that ends with a refusal: 25 tokens in, `output` out.
std::string refusal_by(std::string_view model, int output)
{
    return streamed(sse(
        {R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":")" +
                std::string{model} +
                R"(","content":[],"stop_reason":null,"usage":{"input_tokens":25,"output_tokens":1,"cache_read_input_tokens":7}}})",
            R"({"type":"message_delta","delta":{"stop_reason":"refusal"},"usage":{"output_tokens":)" +
                std::to_string(output) + "}}",
            stop_event()}));
}

// Answers by the model that is asked for.
byte_server::script by_model(std::vector<std::pair<std::string, std::string>> replies)
{
    return [replies = std::move(replies)](peer& with) {
        for (auto request = with.read_request(); !request.empty(); request = with.read_request()) {
            for (const auto& [model, bytes] : replies)
                if (request.find("\"model\":\"" + model + "\"") != std::string::npos)
                    with.send(bytes);
        }
    };
}

} // namespace

TEST_CASE("401: whatever the header says, nothing is sent after it, until a reload")
{
    const byte_server server{
        {answering(api_error(401, "authentication_error", "x-should-retry: true\r\n"))}};
    auto with = options_for(server);
    with.retry_attempts = 0;
    const auto all = ask_in_turn(with, 3);
    for (const auto& one : all) {
        CHECK(one.type() == "authentication_error");
        CHECK(one.outcome.error().status == 401);
        CHECK(one.retries.empty());
    }
    CHECK(all[0].outcome.error().attempts == 1);
    CHECK(all[1].outcome.error().attempts == 0);
    CHECK(all[1].message().find("read anew") != std::string::npos);
    CHECK(server.requests().size() == 1);
}

TEST_CASE("too long: the window, the API's bound and our own are told apart from other refusals")
{
    struct row {
        std::string bytes;
        bool too_long;
    };
    for (const auto& r : {row{error_of(400, "invalid_request_error",
                                  "prompt is too long: 210000 tokens > 200000 maximum"),
                              true},
             row{error_of(400, "invalid_request_error",
                     "input length and `max_tokens` exceed context limit: 1 + 2 > 2"),
                 true},
             row{error_of(
                     400, "BadRequestError", "This model's maximum context length is 4096 tokens"),
                 true},
             row{error_of(400, "exceed_context_size_error",
                     "the request exceeds the available context size"),
                 true},
             row{reply(413, "text/html", "<html>"), true},
             row{error_of(413, "request_too_large", "Request exceeds the maximum size"), true},
             row{error_of(400, "invalid_request_error",
                     "messages: text content blocks must be non-empty"),
                 false},
             row{error_of(500, "api_error", "prompt is too long"), false}}) {
        const byte_server server{{answering(r.bytes)}};
        const auto got = ask(options_for(server));
        REQUIRE_FALSE(got.outcome.has_value());
        CHECK_MESSAGE(got.outcome.error().too_long == r.too_long, got.message());
        CHECK(server.requests().size() == 1);
    }
    const byte_server server{{answering(fine)}};
    CHECK(ask(options_for(server), simple_request(33U << 20)).outcome.error().too_long);
}

TEST_CASE("fallback: what a discarded refusal used is told, by its own model")
{
    const byte_server server{{by_model({{"claude-test", refusal_by("claude-test-20260901", 4)},
        {"claude-other", refusal_by("", 5)}, {"claude-third", fine}})}};
    auto with = options_for(server);
    with.fallback = {"claude-other", "claude-third"};
    const auto got = ask(with);
    REQUIRE(got.outcome.has_value());
    CHECK(got.outcome->attempts == 3);
    REQUIRE(got.outcome->discarded.size() == 2);
    CHECK(got.outcome->discarded[0].model == "claude-test-20260901");
    CHECK(got.outcome->discarded[0].used.input == 25);
    CHECK(got.outcome->discarded[0].used.output == 4);
    CHECK(got.outcome->discarded[0].used.cache_read == 7);
    CHECK(got.outcome->discarded[1].model == "claude-other");
    CHECK(got.outcome->usage.output == 15);
    CHECK(billed_usage(*got.outcome).output == 4 + 5 + 15);
    CHECK(billed_usage(*got.outcome).input == 75);
}

TEST_CASE(
    "fallback: the last refusal is the reply; a fallback that fails tells what was used before")
{
    const byte_server refuses{
        {by_model({{"claude-test", refusal_by("a", 4)}, {"claude-other", refusal_by("b", 5)}})}};
    auto with = options_for(refuses);
    with.fallback = {"claude-other"};
    auto got = ask(with);
    REQUIRE(got.outcome.has_value());
    CHECK(got.outcome->stop == model::stop_reason::refusal);
    CHECK(got.outcome->discarded.size() == 1);
    CHECK(got.outcome->usage.output == 5);

    const byte_server fails{{by_model({{"claude-test", refusal_by("a", 4)},
        {"claude-other", api_error(404, "not_found_error")}})}};
    with = options_for(fails);
    with.fallback = {"claude-other"};
    got = ask(with);
    CHECK(got.type() == "not_found_error");
    REQUIRE(got.outcome.error().discarded.size() == 1);
    CHECK(got.outcome.error().discarded[0].used.output == 4);
    CHECK(got.outcome.error().attempts == 2);
}

TEST_CASE("case 54 s429_spend_cap: also a fallback's is final")
{
    const auto capped = reply(429, "application/json",
        R"({"type":"error","error":{"type":"rate_limit_error","message":"monthly limit","details":{"error_code":"contract_spend_limit_reached"}}})");
    const byte_server server{{by_model({{"claude-test", api_error(529, "overloaded_error")},
        {"claude-other", capped}, {"claude-third", fine}})}};
    auto with = options_for(server);
    with.fallback = {"claude-other", "claude-third"};
    const auto got = ask(with);
    CHECK(got.message().find("contract_spend_limit_reached") != std::string::npos);
    CHECK(server.requests().size() == 2);
}

TEST_CASE("fallback: it is gone to after three overloads in a row, with time and attempts left")
{
    const auto busy = api_error(529, "overloaded_error", "retry-after-ms: 1\r\n");
    const byte_server server{{by_model({{"claude-test", busy}, {"claude-other", fine}})}};
    auto with = options_for(server);
    with.fallback = {"claude-other"};
    with.retry_attempts = 0;
    const auto got = ask(with);
    REQUIRE(got.outcome);
    CHECK(got.outcome->attempts == 4);
    REQUIRE(server.requests().size() == 4);
    CHECK(server.requests()[3].find("claude-other") != std::string::npos);
}

TEST_CASE("case 74, the key is in no message, also where the server's page is cut in its middle")
{
    // 200 bytes of a page are shown; the key crosses that line, in each of the places.
    const std::string page = "<html>" + std::string(185, 'x') + "sk-canary-4711</html>";
    for (const auto& bytes : {reply(200, "text/html", page), reply(502, "text/html", page),
             reply(302, "text/html", "", "location: https://h/" + page.substr(10) + "\r\n"),
             reply(200, "text/" + page.substr(8), "x")}) {
        const byte_server server{{answering(bytes)}};
        const auto got = ask(options_for(server));
        CHECK(got.message().find("sk-c") == std::string::npos);
        CHECK(got.message().find("xxx") != std::string::npos);
    }
    // What stands in a key's place is shorter: each key in the part that is shown brings nearer
    // what was behind it.
    std::string keys = "<html>";
    for (int i = 0; i < 10; ++i)
        keys += "sk-canary-4711";
    keys += std::string(61, 'x') + "sk-canary-4711</html>";
    const auto got = from(once(reply(200, "text/html", keys)));
    CHECK(got.message().find("[credential]xxx") != std::string::npos);
    CHECK_MESSAGE(got.message().find("sk-c") == std::string::npos, got.message());
    // A key that is part of what stands in its place.
    const byte_server server{{answering(reply(500, "text/html", "no credential here"))}};
    auto with = options_for(server);
    with.key.value = "credential";
    CHECK(ask(with).message().find("[credential]") != std::string::npos);
}
