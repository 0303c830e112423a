// What --check-config --online says of servers that have some of the calls and of those that
// are none, through real sockets. The whole program is in tests/system/online_test.cpp.
#include "base/limits.hpp"
#include "model/online_check.hpp"
#include "tests/daemon/model/asked.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

namespace {

struct checked {
    bool ok = false;
    std::string line;
    std::vector<std::string> requests;

    [[nodiscard]] bool says(std::string_view part) const
    {
        return line.find(part) != std::string::npos;
    }
};

aio::awaitable<> ask_and_note(
    aio::executor io, model::options with, model::online_question what, checked& into)
{
    const auto got = co_await model::check_online(io, std::move(with), std::move(what));
    into.ok = got.has_value();
    into.line = got ? *got : got.error().text;
}

checked look_at(const model::options& with, std::vector<std::string> models = {"claude-test"})
{
    model::online_question what;
    what.models = std::move(models);
    what.system = std::make_shared<const std::string>(R"([{"type":"text","text":"Be good."}])");
    what.tools = std::make_shared<const std::string>(R"([{"name":"bash"}])");
    checked got;
    run_coro([&](aio::executor io) { return ask_and_note(io, with, what, got); });
    CHECK(got.line.find('\n') == std::string::npos);
    CHECK(got.line.find("sk-canary") == std::string::npos);
    return got;
}

// What a server answers to each call, by the beginning of its request; else 404.
using calls = std::vector<std::pair<std::string, std::string>>;

checked check(calls has, std::vector<std::string> models = {"claude-test"})
{
    const byte_server server{{[has = std::move(has)](peer& with) {
        for (auto request = with.read_request(); !request.empty(); request = with.read_request()) {
            const auto found = std::ranges::find_if(
                has, [&](const auto& one) { return request.starts_with(one.first); });
            with.send(found == has.end() ? api_error(404, "not_found_error") : found->second);
        }
    }}};
    auto got = look_at(options_for(server), std::move(models));
    got.requests = server.requests();
    return got;
}

std::string json_reply(std::string_view body)
{
    return testing::reply(200, "application/json", body);
}

const std::string one_model = json_reply(R"({"type":"model","id":"claude-test"})");
const std::string two_models =
    json_reply(R"({"data":[{"id":"claude-a"},{"id":"claude-test"}],"has_more":false})");
const std::string counted = json_reply(R"({"input_tokens":2095})");

std::string bad_request(int status, std::string_view message)
{
    return testing::reply(status, "application/json",
        R"({"type":"error","error":{"type":"invalid_request_error","message":")" +
            std::string{message} + "\"}}");
}

} // namespace

TEST_CASE("online: a server with all calls: one line, and each model is asked for")
{
    const auto got = check({{"GET /v1/models?", two_models}, {"GET /v1/models/", one_model},
                               {"POST /v1/messages/count_tokens", counted}},
        {"claude-test", "claude-alias"});
    CHECK(got.ok);
    CHECK(got.line.starts_with("ok: 127.0.0.1:"));
    CHECK(got.says(
        "takes the credential and knows claude-test, claude-alias; a first request has 2095 tokens"));
    REQUIRE(got.requests.size() == 5);
    CHECK(got.requests[2].ends_with(
        R"({"model":"claude-test","system":[{"type":"text","text":"Be good."}],"tools":[{"name":"bash"}],"messages":[{"role":"user","content":[{"type":"text","text":"Hello."}]}]})"));
    CHECK(got.requests[3].starts_with("GET /v1/models/claude-alias "));
}

TEST_CASE("online: compatible servers: a list in OpenAI's form, no count_tokens, no list")
{
    const auto openai =
        json_reply(R"({"object":"list","data":[{"id":"claude-test","object":"model"}]})");
    auto got = check({{"GET /v1/models?", openai}});
    CHECK_MESSAGE(got.ok, got.line);
    CHECK(got.says("knows claude-test; it has no count_tokens"));

    for (const int status : {404, 405, 501}) {
        const auto none = testing::reply(status, "text/plain", "no such call");
        got = check({{"GET ", none}, {"POST /v1/messages/count_tokens", none},
            {"POST /v1/messages ", bad_request(400, "model: Field required")}});
        CHECK_MESSAGE(got.ok, got.line);
        CHECK(got.says(
            "nothing shows that it takes the credential; it cannot be asked for claude-test"));
    }
    got = check({{"POST /v1/messages/count_tokens", counted}});
    CHECK(got.says("takes the credential and knows claude-test"));
}

TEST_CASE("online: an unknown model, with those that are known as far as the server says")
{
    auto got = check({{"GET /v1/models?", two_models}}, {"claude-tset"});
    CHECK_FALSE(got.ok);
    CHECK(got.says("the model claude-tset is not known to 127.0.0.1:"));
    CHECK(got.says("; it knows claude-a, claude-test"));

    std::string many = R"({"data":[{"id":"m0"})";
    for (int i = 1; i < 30; ++i)
        many += R"(,{"id":"m)" + std::to_string(i) + "\"}";
    got = check({{"GET /v1/models?", json_reply(many + "]}")}});
    CHECK(got.says("it knows m0, m1, m2, m3, m4, m5, m6, m7, …"));
    CHECK_FALSE(got.says("m8"));

    // The second one: each is asked for.
    got = check({{"GET /v1/models?", two_models}}, {"claude-a", "claude-other"});
    CHECK(got.says("claude-other is not known"));
    // Only count_tokens knows it.
    got = check({{"POST /v1/messages/count_tokens",
        testing::reply(404, "application/json",
            R"({"error":{"type":"not_found_error","message":"model: claude-test"}})")}});
    CHECK(got.says("the model claude-test is not known"));
}

TEST_CASE("online: what the server refuses is said with its own words")
{
    for (const int status : {401, 403}) {
        const auto refused = bad_request(status, "invalid x-api-key sk-canary-4711");
        auto got = check({{"GET ", refused}});
        CHECK_FALSE(got.ok);
        CHECK(got.says("credential"));
        CHECK(got.says("(" + std::to_string(status) + "): invalid x-api-key [credential]"));
        CHECK(got.requests.size() == 1);
        got = check({{"POST /v1/messages/count_tokens", refused}});
        CHECK(got.says("(" + std::to_string(status) + ")"));
        got = check({{"POST /v1/messages ", refused}});
        CHECK(got.says("(" + std::to_string(status) + ")"));
    }
    auto got = check({{"GET /v1/models?", two_models},
        {"POST ", bad_request(400, "tools.0: Extra inputs are not permitted")}});
    CHECK(got.says("refuses agentd's requests for claude-test (400): tools.0: Extra inputs"));
    got = check({{"GET ", bad_request(400, "anthropic-version: bad")}});
    CHECK(got.says("refuses GET /v1/models?limit=1000 (HTTP 400): anthropic-version: bad"));
    for (const int status : {429, 500, 529}) {
        got = check({{"GET ", bad_request(status, "busy")}});
        CHECK(got.says("cannot answer GET /v1/models?limit=1000 now (HTTP " +
            std::to_string(status) + "): busy"));
        CHECK(got.requests.size() == 1);
    }
}

TEST_CASE("online: half a key is not shown either, and a key that is a word hides no model")
{
    // 300 characters are shown of what a server says, as many as a name has of each model.
    const auto crossing = [](std::size_t shown) {
        return std::string(shown - 7, 'y') + "sk-canary-4711";
    };
    auto got = check({{"GET ", bad_request(403, crossing(298))}});
    CHECK(got.says("(403): yyy"));
    CHECK_FALSE(got.says("sk-"));
    got = check({{"GET ", testing::reply(200, "text/" + crossing(293), "")}});
    CHECK(got.says("is no model's server"));
    CHECK_FALSE(got.says("sk-"));
    got = check({{"GET /v1/models?",
        json_reply(R"({"data":[{"id":")" + crossing(limits::model_name_bytes) + "\"}]}")}});
    CHECK(got.says("it knows yyy"));
    CHECK_FALSE(got.says("sk-"));

    const byte_server server{{[](peer& with) {
        for (auto request = with.read_request(); !request.empty(); request = with.read_request())
            with.send(request.starts_with("GET /v1/models?") ? two_models
                    : request.starts_with("POST")            ? counted
                                                             : api_error(404, "not_found_error"));
    }}};
    auto with = options_for(server);
    with.key.value = "test";
    got = look_at(with);
    CHECK_MESSAGE(got.ok, got.line);
}

TEST_CASE("online: what is no model's server, or not at this path")
{
    auto got = check({{"GET ", testing::reply(200, "text/html", "<html>welcome</html>")}});
    CHECK_FALSE(got.ok);
    CHECK(got.says(
        "is no model's server: it answers GET /v1/models?limit=1000 with 20 bytes of \"text/html\""));
    got = check({{"GET ", testing::reply(307, "text/plain", "", "location: https://h/\r\n")}});
    CHECK(got.says("redirect (307)"));
    got = check(calls{});
    CHECK(got.says("has no /v1/messages (HTTP 404)"));

    const byte_server server{{answering(api_error(404, "not_found_error"))}};
    auto with = options_for(server);
    with.base_url += "/v1";
    got = look_at(with);
    CHECK(got.says("has no /v1/v1/messages (HTTP 404): base_url ends in /v1"));

    const byte_server closing{{[](peer& client) { client.read_request(); }}};
    got = look_at(options_for(closing));
    CHECK(got.says("cannot be asked: "));
    with = options_for(closing);
    with.key.value.clear();
    CHECK(look_at(with).says("no credential"));
}
