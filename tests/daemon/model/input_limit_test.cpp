// What a model takes at most, asked of its server: once for all, and never in the way.
#include "aio/task_group.hpp"
#include "base/limits.hpp"
#include "tests/daemon/model/ear.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

#include <future>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

namespace {

using limit = std::optional<std::int64_t>;

const std::string million = reply(200, "application/json",
    R"({"type":"model","id":"claude-test","display_name":"T","max_input_tokens":1000000,"max_tokens":128000})");

aio::awaitable<> look_up(model::client& client, std::string model, limit& into)
{
    const auto got = co_await client.input_limit(std::move(model));
    into = got;
}

aio::awaitable<> look_up_in_turn(aio::executor io, model::options with,
    std::vector<std::string> models, std::vector<limit>& into)
{
    const auto client = model::make_client(io, std::move(with));
    for (auto& one : models)
        co_await look_up(*client, one, into.emplace_back());
}

// What one client is told of each model, one after another.
std::vector<limit> in_turn(const model::options& with, std::vector<std::string> models)
{
    std::vector<limit> got;
    got.reserve(models.size());
    run_coro([&](aio::executor io) { return look_up_in_turn(io, with, models, got); });
    return got;
}

aio::awaitable<> look_up_at_once(aio::executor io, const byte_server& server,
    std::promise<void>& asked, std::vector<limit>& into)
{
    const auto client = model::make_client(io, options_for(server));
    aio::task first{io};
    aio::task_group others{io};
    limit unused;
    first.start("first", look_up(*client, "claude-test", unused));
    while (server.requests().empty())
        co_await aio::sleep_for(2ms);
    for (auto& one : into)
        others.spawn("other", look_up(*client, "claude-test", one));
    // He who asks goes: one of the others has to ask, and all get its answer.
    first.cancel();
    co_await first.join();
    asked.set_value();
    co_await others.join();
}

} // namespace

TEST_CASE("input limit: asked once with the credential, then remembered")
{
    const byte_server server{{answering(million)}};
    CHECK(in_turn(options_for(server), {"claude-test", "claude-test", "a/b c"}) ==
        std::vector<limit>{1'000'000, 1'000'000, 1'000'000});
    const auto requests = server.requests();
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].starts_with("GET /v1/models/claude-test HTTP/1.1\r\n"));
    CHECK(requests[0].find("x-api-key: sk-canary-4711\r\n") != std::string::npos);
    CHECK(requests[0].find("content-") == std::string::npos);
    CHECK(requests[1].starts_with("GET /v1/models/a%2Fb%20c HTTP/1.1\r\n"));
    CHECK(server.connections() == 1);
}

TEST_CASE(
    "input limit: a server that does not say is asked once; one that fails, not at once again")
{
    for (const auto& says : {reply(404, "text/plain", "no"), reply(501, "text/plain", ""),
             reply(200, "application/json", R"({"id":"claude-test","object":"model"})"),
             reply(200, "application/json", R"({"max_input_tokens":"many"})"),
             reply(200, "application/json", R"({"max_input_tokens":0})"),
             reply(200, "text/html", "<html>"), api_error(529, "overloaded_error"),
             api_error(401, "authentication_error")}) {
        const byte_server server{{answering(says)}};
        CHECK(in_turn(options_for(server), {"claude-test", "claude-test"}) ==
            std::vector<limit>{{}, {}});
        CHECK(server.requests().size() == 1);
    }
}

TEST_CASE("input limit: nothing where there is nobody to ask")
{
    std::string gone;
    {
        const byte_server server{{once("")}};
        gone = server.url();
    }
    const byte_server server{{answering(million)}};
    auto with = options_for(server);
    with.base_url = gone;
    CHECK(in_turn(with, {"claude-test"}) == std::vector<limit>{{}});
    with = options_for(server);
    with.key.value.clear();
    CHECK(in_turn(with, {"claude-test"}) == std::vector<limit>{{}});
    CHECK(server.connections() == 0);
}

namespace {

aio::awaitable<> look_up_after_a_401(aio::executor io, model::options with, limit& into)
{
    const auto client = model::make_client(io, std::move(with));
    one_ask refused;
    co_await ask_as(*client, "claude-test", refused);
    co_await look_up(*client, "claude-test", into);
}

} // namespace

TEST_CASE("input limit: a credential that was refused is not sent for it either")
{
    const byte_server server{{answering(api_error(401, "authentication_error"))}};
    limit got;
    run_coro([&](aio::executor io) { return look_up_after_a_401(io, options_for(server), got); });
    CHECK_FALSE(got);
    CHECK(server.requests().size() == 1);
}

TEST_CASE("input limit: those who ask at once share one question, also when its asker leaves")
{
    std::promise<void> asked;
    auto others_asked = asked.get_future();
    const byte_server server{{[](peer& with) {
                                  with.read_request();
                                  with.client_leaves(10s);
                              },
        [&](peer& with) {
            with.read_request();
            others_asked.wait();
            with.send(million);
            with.client_leaves(10s);
        }}};
    std::vector<limit> got(20);
    run_coro([&](aio::executor io) { return look_up_at_once(io, server, asked, got); });
    CHECK(got == std::vector<limit>(20, 1'000'000));
    CHECK(server.requests().size() == 2);
}

TEST_CASE("timed: input limit: connecting is no excuse for its taking longer than a side call may")
{
    const byte_server silent{{[](peer& with) { with.client_leaves(60s); }}};
    auto with = options_for(silent);
    with.base_url = "https://127.0.0.1:" + std::to_string(silent.port());
    with.limits.handshake = 60s;
    std::vector<limit> got;
    const auto began = base::mono_now();
    run_coro(
        [&](aio::executor io) { return look_up_in_turn(io, with, {"claude-test"}, got); }, 90s);
    CHECK(got == std::vector<limit>{{}});
    CHECK(base::elapsed_since(began) < limits::side_call_deadline + 10s);
}
