// Statuses, headers and lost connections: how often a request is sent and when, seen by the
// server that gets it.
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "tests/daemon/model/asked.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

namespace {

// Answers request number n of all connections together with replies[n], then the last.
byte_server::script in_order(std::vector<std::string> replies)
{
    auto next = std::make_shared<std::atomic<std::size_t>>(0);
    return [replies = std::move(replies), next](peer& with) {
        while (!with.read_request().empty())
            with.send(replies[std::min(next->fetch_add(1), replies.size() - 1)]);
    };
}

struct tried {
    asked got;
    std::vector<std::string> requests;
};

tried with_replies(std::vector<std::string> replies, std::int64_t attempts = 3)
{
    const byte_server server{{in_order(std::move(replies))}};
    auto with = options_for(server);
    with.retry_attempts = attempts;
    tried result{ask(with), {}};
    result.requests = server.requests();
    return result;
}

std::string date_in(std::chrono::seconds span)
{
    const auto then = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + span);
    std::tm parts{};
    ::gmtime_r(&then, &parts);
    char text[64];
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return text;
}

} // namespace

TEST_CASE("case 51 s429_retry_after_ms: waits about 120 ms, three attempts")
{
    const auto t = with_replies(
        {api_error(429, "rate_limit_error", "retry-after-ms: 120\r\nretry-after: 9\r\n")});
    CHECK(t.requests.size() == 3);
    REQUIRE(t.got.retries.size() == 2);
    for (const auto& [why, delay] : t.got.retries) {
        CHECK(delay >= 120ms);
        CHECK(delay <= 132ms);
        CHECK(why.type == "rate_limit_error");
    }
    CHECK(t.got.took >= 240ms);
    CHECK(t.got.type() == "rate_limit_error");
    CHECK(t.got.outcome.error().attempts == 3);
}

TEST_CASE("case 52 s429_retry_after_0_or_past: the own backoff")
{
    for (const std::string_view value : {"0", "abc", "Fri, 01 Jan 2021 00:00:00 GMT"}) {
        const auto t = with_replies(
            {api_error(429, "rate_limit_error", fmt::format("retry-after: {}\r\n", value)), fine});
        REQUIRE(t.got.retries.size() == 1);
        CHECK(t.got.retries[0].second >= 375ms);
        CHECK(t.got.retries[0].second <= 500ms);
    }
}

TEST_CASE("case 53 s429_http_date: waits until then")
{
    const auto t = with_replies(
        {api_error(429, "rate_limit_error", fmt::format("retry-after: {}\r\n", date_in(2s))),
            fine});
    REQUIRE(t.got.retries.size() == 1);
    CHECK(t.got.retries[0].second >= 900ms);
    CHECK(t.got.retries[0].second <= 2300ms);
    CHECK(t.got.outcome.has_value());
}

TEST_CASE("case 54 s429_spend_cap: no retry, a clear message")
{
    const auto t = with_replies({testing::reply(429, "application/json",
        R"({"type":"error","error":{"type":"rate_limit_error","message":"monthly limit","details":{"error_code":"enforced_spend_limit_reached"}}})")});
    CHECK(t.requests.size() == 1);
    CHECK(t.got.message().find("enforced_spend_limit_reached") != std::string::npos);
    CHECK(t.got.message().find("monthly limit") != std::string::npos);
}

TEST_CASE("cases 55 and 56 s400_should_retry, s500_should_not: the header decides")
{
    CHECK(with_replies({api_error(400, "invalid_request_error", "x-should-retry: true\r\n"), fine})
              .requests.size() == 2);
    CHECK(with_replies({api_error(500, "api_error", "x-should-retry: false\r\n"), fine})
              .requests.size() == 1);
}

TEST_CASE("case 57 s529_then_ok: success on the second, same bytes")
{
    const auto t = with_replies({api_error(529, "overloaded_error"), fine});
    REQUIRE(t.got.outcome.has_value());
    REQUIRE(t.requests.size() == 2);
    CHECK(t.requests[0] == t.requests[1]);
    CHECK(t.got.outcome->attempts == 2);
}

TEST_CASE("case 58 s401/403/404/413/422: one attempt, type and request id in the error")
{
    struct row {
        int status;
        std::string_view type;
    };
    for (const auto& r : {row{400, "invalid_request_error"}, row{401, "authentication_error"},
             row{402, "billing_error"}, row{403, "permission_error"}, row{404, "not_found_error"},
             row{413, "request_too_large"}, row{422, "invalid_request_error"}}) {
        const auto t = with_replies({api_error(r.status, r.type)});
        CHECK(t.requests.size() == 1);
        CHECK(t.got.type() == r.type);
        CHECK(t.got.outcome.error().status == r.status);
        CHECK(t.got.outcome.error().request_id == "req_9");
        CHECK(t.got.message().find("req_9") != std::string::npos);
    }
}

TEST_CASE("case 59 s413_html: request_too_large, no parse error")
{
    const auto t = with_replies(
        {testing::reply(413, "text/html", "<html>413 Request Entity Too Large</html>")});
    CHECK(t.got.type() == "request_too_large");
    CHECK(t.requests.size() == 1);
}

TEST_CASE("case 60 s502_html: retried, the last error shows the status")
{
    const auto t = with_replies({testing::reply(502, "text/html", "<html>bad gateway</html>")}, 2);
    CHECK(t.requests.size() == 2);
    CHECK(t.got.outcome.error().status == 502);
    CHECK(t.got.type() == "api_error");
    CHECK(t.got.message().find("502") != std::string::npos);
}

TEST_CASE("case 61 reset_before_head: three attempts")
{
    const byte_server server{{[](peer& with) {
        with.read_request();
        with.reset();
    }}};
    auto with = options_for(server);
    with.retry_attempts = 3;
    const auto got = ask(with);
    CHECK(server.requests().size() == 3);
    CHECK(got.type() == "connection_lost");
    CHECK(got.message().find("given up after 3 attempts") != std::string::npos);
}

TEST_CASE("case 62 stale_pool: one transparent retry on a fresh connection")
{
    // The second request reaches the first connection before its end does: the peek cannot see it.
    const byte_server server{{[](peer& with) {
                                  with.read_request();
                                  with.send(fine);
                                  with.read_request();
                                  with.reset();
                              },
        answering(fine)}};
    const auto all = ask_in_turn(options_for(server), 2);
    REQUIRE(all[1].outcome.has_value());
    CHECK(all[1].outcome->attempts == 1);
    CHECK(all[1].retries.empty());
    CHECK(server.connections() == 2);
    CHECK(server.requests().size() == 3);
}

TEST_CASE("case 62, an idle connection that has ended is not used again")
{
    const byte_server server{{once(fine)}};
    const auto all = ask_in_turn(options_for(server), 3);
    for (const auto& one : all)
        CHECK(one.outcome.has_value());
    CHECK(server.requests().size() == 3);
}

TEST_CASE("keep-alive: requests in turn share a connection unless the server closes it")
{
    const byte_server keeps{{answering(fine)}};
    CHECK(ask_in_turn(options_for(keeps), 5).size() == 5);
    CHECK(keeps.connections() == 1);
    const byte_server closes{
        {answering(stream_head("connection: close\r\n") + chunk(text_stream()) + last_chunk())}};
    CHECK(ask_in_turn(options_for(closes), 3).back().outcome.has_value());
    CHECK(closes.connections() == 3);
    auto with = options_for(keeps);
    with.limits.pooled = 0ms;
    CHECK(ask_in_turn(with, 2).size() == 2);
    CHECK(keeps.connections() == 3);
}

TEST_CASE("case 63 early_413_while_sending: 413 is reported, not EPIPE")
{
    const byte_server server{{[](peer& with) {
        with.read_head();
        with.send(api_error(413, "request_too_large", "connection: close\r\n"));
    }}};
    const auto got = ask(options_for(server), simple_request(20'000'000));
    CHECK(got.type() == "request_too_large");
    CHECK(got.outcome.error().status == 413);
}

TEST_CASE("a request beyond the API's bound is not sent at all")
{
    const byte_server server{{answering(fine)}};
    const auto got = ask(options_for(server), simple_request(33U << 20));
    CHECK(got.type() == "request_too_large");
    CHECK(server.connections() == 0);
}

TEST_CASE("case 64 redirect_307: not followed, no credential sent there")
{
    const byte_server other{{answering(fine)}};
    const byte_server server{{answering(
        testing::reply(307, "text/plain", "", "location: " + other.url() + "/v1/messages\r\n"))}};
    auto with = options_for(server);
    with.retry_attempts = 3;
    const auto got = ask(with);
    CHECK(got.message().find("redirects are not followed") != std::string::npos);
    CHECK(server.requests().size() == 1);
    CHECK(other.connections() == 0);
}

TEST_CASE("case 74 auth_headers: the key goes into one header and nowhere else")
{
    const std::string echo = "invalid x-api-key: sk-canary-4711";
    const byte_server server{{answering(testing::reply(401, "application/json",
        R"({"error":{"type":"authentication_error","message":")" + echo + "\"}}"))}};
    const auto got = ask(options_for(server));
    const std::string request = server.requests().at(0);
    CHECK(request.find("sk-canary-4711") == request.rfind("sk-canary-4711"));
    CHECK(request.find("x-api-key: sk-canary-4711\r\n") != std::string::npos);
    CHECK(got.type() == "authentication_error");
    CHECK(got.message().find("sk-canary") == std::string::npos);
}

TEST_CASE("a JSON reply that is garbled or no message is asked for again, and not for ever")
{
    const std::string garbled =
        testing::reply(200, "application/json", R"({"id":"msg_1","content":[{"type":"te)");
    for (const auto& odd :
        {garbled, testing::reply(200, "application/json", R"({"error":"busy"})")}) {
        const auto t = with_replies({odd, odd, fine}, 0);
        REQUIRE_MESSAGE(t.got.outcome.has_value(), t.got.message());
        CHECK(t.got.outcome->attempts == 3);
    }
    const auto t = with_replies({garbled}, 0);
    CHECK(t.got.type() == "protocol_error");
    CHECK(t.requests.size() == limits::malformed_replies);
}

TEST_CASE("a server that asks to wait longer than may be waited ends it at once, and it says so")
{
    const byte_server server{
        {answering(api_error(429, "rate_limit_error", "retry-after: 3600\r\n"))}};
    auto with = options_for(server);
    with.retry_attempts = 0;
    with.retry_for = 30s;
    const auto all = ask_in_turn(with, 2);
    CHECK(all[0].message().find("the server asks to wait 3600.0 s") != std::string::npos);
    CHECK(all[0].took < 2s);
    // The next one knows without asking.
    CHECK(all[1].type() == "rate_limit_error");
    CHECK(all[1].took < 2s);
    CHECK(server.requests().size() == 1);
}

TEST_CASE("fallback: an overload that stays, and a refusal, go on with the next model")
{
    const byte_server busy{{in_order({api_error(529, "overloaded_error"), fine})}};
    auto with = options_for(busy);
    with.fallback = {"claude-other"};
    auto got = ask(with);
    CHECK(got.outcome.has_value());
    CHECK(got.fallbacks ==
        std::vector<std::pair<std::string, std::string>>{{"claude-test", "claude-other"}});
    CHECK(busy.requests().at(1).find(R"("model":"claude-other")") != std::string::npos);

    const byte_server refuses{
        {answering(streamed(sse({start_event(), ending("refusal"), stop_event()})))}};
    with = options_for(refuses);
    with.fallback = {"claude-other", "claude-third"};
    got = ask(with);
    REQUIRE(got.outcome.has_value());
    CHECK(got.outcome->stop == model::stop_reason::refusal);
    CHECK(got.fallbacks.size() == 2);
    CHECK(refuses.requests().size() == 3);
}

TEST_CASE("what cannot work fails at once and says why")
{
    const byte_server server{{answering(fine)}};
    auto with = options_for(server);
    with.key.value = " \n";
    CHECK(ask(with).type() == "no_credential");
    with = options_for(server);
    with.base_url = "http://example.com";
    CHECK(ask(with).type() == "connect_error");
    CHECK(server.connections() == 0);
}

TEST_CASE("nobody listens: the address and the reason are told")
{
    std::string url;
    {
        const byte_server gone{{once("")}};
        url = gone.url("localhost");
    }
    const byte_server server{{once("")}};
    auto with = options_for(server);
    with.base_url = url;
    const auto got = ask(with);
    CHECK(got.type() == "connect_error");
    CHECK(got.message().find("refused") != std::string::npos);
}
