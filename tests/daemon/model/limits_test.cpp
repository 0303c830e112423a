// The limits of a server as all sessions see them, through real sockets: who waits, how long,
// and who does not. Many at once: herd_test.cpp.
#include "aio/task_group.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "tests/daemon/model/ear.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <atomic>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

namespace {

// Until it has told of a wait, or has ended.
aio::awaitable<> until_told(const one_ask& asks)
{
    while (asks.heard.retries.empty() && !asks.ended)
        co_await aio::sleep_for(2ms);
}

// 429 for one model, what is fine for the others.
byte_server::script limiting(std::string model, std::string fields)
{
    return [model = std::move(model), fields = std::move(fields)](peer& with) {
        for (auto request = with.read_request(); !request.empty(); request = with.read_request())
            with.send(request.find("\"model\":\"" + model + "\"") == std::string::npos
                    ? fine
                    : api_error(429, "rate_limit_error", fields));
    };
}

// `first` meets the limit; then `second` and a request for another model are made.
struct three {
    one_ask first, second, other;
};

aio::awaitable<> ask_behind_a_limit(aio::executor io, model::options with, three& all)
{
    const auto client = model::make_client(io, std::move(with));
    aio::task_group group{io};
    group.spawn("first", ask_as(*client, "limited", all.first));
    co_await until_told(all.first);
    group.spawn("second", ask_as(*client, "limited", all.second));
    co_await ask_as(*client, "other", all.other);
    co_await until_told(all.second);
    // Cancelled in the pause after a failure, and in the wait for another's: at once.
    const auto began = base::mono_now();
    group.cancel();
    co_await group.join();
    CHECK(base::elapsed_since(began) < 5s);
}

} // namespace

TEST_CASE("limits: who waits for another's limit is told why and how long, and can be cancelled")
{
    const byte_server server{{limiting("limited", "retry-after: 40\r\n")}};
    auto with = options_for(server);
    with.retry_attempts = 0;
    three all;
    run_coro([&](aio::executor io) { return ask_behind_a_limit(io, with, all); });
    REQUIRE(all.first.heard.retries.size() == 1);
    CHECK(all.first.heard.retries[0].attempt == 1);
    CHECK(all.first.heard.retries[0].delay >= 40s);
    REQUIRE(all.second.heard.retries.size() == 1);
    CHECK(all.second.heard.retries[0].attempt == 0);
    CHECK(all.second.heard.retries[0].why.type == "rate_limit_error");
    CHECK(all.second.heard.retries[0].delay > 30s);
    CHECK_FALSE(all.second.ended);
    // Limits are a model's own.
    CHECK(all.other.outcome.has_value());
    CHECK(all.other.heard.retries.empty());
    CHECK(server.requests().size() == 2);
}

TEST_CASE("limits: an hour asked of one request holds the others for a minute at most")
{
    const byte_server server{{limiting("limited", "retry-after: 3600\r\n")}};
    auto with = options_for(server);
    with.retry_attempts = 0;
    three all;
    run_coro([&](aio::executor io) { return ask_behind_a_limit(io, with, all); });
    CHECK(all.first.outcome.error().message.find("3600") != std::string::npos);
    REQUIRE(all.second.heard.retries.size() == 1);
    CHECK(all.second.heard.retries[0].delay <= limits::rate_hold_longest);
}

TEST_CASE("limits: a model's overload keeps nobody from the fallback, the first one or the others")
{
    const byte_server server{{[](peer& with) {
        for (auto request = with.read_request(); !request.empty(); request = with.read_request())
            with.send(request.find("claude-test") == std::string::npos
                    ? fine
                    : api_error(529, "overloaded_error", "retry-after: 50\r\n"));
    }}};
    auto with = options_for(server);
    with.fallback = {"claude-test", "claude-other"};
    for (const auto& got : ask_in_turn(with, 3)) {
        CHECK_MESSAGE(got.outcome.has_value(), got.message());
        CHECK(got.fallbacks.size() == 1);
        CHECK(got.took < 10s);
    }
    CHECK(server.requests().size() == 6);
}

namespace {

aio::awaitable<> ask_one_after_another(aio::executor io, model::options with, three& all)
{
    const auto client = model::make_client(io, std::move(with));
    co_await ask_as(*client, "limited", all.first);
    co_await ask_as(*client, "other", all.other);
    co_await ask_as(*client, "limited", all.second);
}

three after_headers(const std::string& fields)
{
    const byte_server server{
        {answering(stream_head(fields) + chunk(text_stream()) + last_chunk())}};
    three all;
    run_coro([&](aio::executor io) { return ask_one_after_another(io, options_for(server), all); });
    CHECK(all.second.outcome.has_value());
    CHECK(server.requests().size() == 3);
    return all;
}

} // namespace

TEST_CASE("limits: when a reply says that nothing is left, the next one waits for the reset")
{
    const auto at = [](std::string_view left) {
        return fmt::format("anthropic-ratelimit-requests-limit: 50\r\n"
                           "anthropic-ratelimit-requests-remaining: {}\r\n"
                           "anthropic-ratelimit-requests-reset: {}\r\n",
            left, rfc3339_in(1500ms));
    };
    const auto spent = after_headers(at("0"));
    REQUIRE(spent.second.heard.retries.size() == 1);
    CHECK(spent.second.heard.retries[0].delay <= 1500ms);
    CHECK(spent.second.heard.retries[0].delay > 0ms);
    CHECK(spent.other.heard.retries.empty());
    CHECK(after_headers(at("1")).second.heard.retries.empty());
    CHECK(after_headers("").second.heard.retries.empty());
}

namespace {

aio::awaitable<> ask_all_behind_the_first(
    aio::executor io, model::options with, std::vector<one_ask>& all)
{
    const auto client = model::make_client(io, std::move(with));
    aio::task_group group{io};
    group.spawn("first", ask_as(*client, "m", all[0]));
    co_await until_told(all[0]);
    for (std::size_t i = 1; i < all.size(); ++i)
        group.spawn("behind", ask_as(*client, "m", all[i]));
    co_await group.join();
}

} // namespace

TEST_CASE("limits: a refused credential ends also those who wait for the limit")
{
    std::atomic<int> asked_before = 0;
    const byte_server server{{[&](peer& with) {
        for (auto request = with.read_request(); !request.empty(); request = with.read_request())
            with.send(asked_before++ == 0
                    ? api_error(429, "rate_limit_error", "retry-after-ms: 400\r\n")
                    : api_error(401, "authentication_error"));
    }}};
    auto with = options_for(server);
    with.retry_attempts = 0;
    std::vector<one_ask> all(5);
    run_coro([&](aio::executor io) { return ask_all_behind_the_first(io, with, all); });
    for (const auto& one : all)
        CHECK(one.outcome.error().type == "authentication_error");
    CHECK(server.requests().size() < 1 + all.size());
}
