// Thinking that the server does not accept any more is left out, once, and all else is kept.
#include "model/anthropic/thinking.hpp"
#include "tests/daemon/model/asked.hpp"

#include <doctest/doctest.h>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;
using model::anthropic::is_bad_thinking;
using model::anthropic::without_thinking;

namespace {

std::vector<model::bytes> messages(std::initializer_list<std::string_view> texts)
{
    std::vector<model::bytes> all;
    for (const auto text : texts)
        all.push_back(std::make_shared<const std::string>(text));
    return all;
}

std::vector<std::string> texts(const std::optional<std::vector<model::bytes>>& from)
{
    std::vector<std::string> all;
    for (const auto& one : from.value_or(std::vector<model::bytes>{}))
        all.push_back(*one);
    return all;
}

constexpr std::string_view asks = R"({"role":"user","content":[{"type":"text","text":"a"}]})";
constexpr std::string_view thinks =
    R"({"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"S"},{"type":"redacted_thinking","data":"D"},{"type":"tool_use","id":"toolu_1","name":"bash","input":{"n":1.0}}]})";
constexpr std::string_view acts =
    R"({"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"bash","input":{"n":1.0}}]})";
constexpr std::string_view answers =
    R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"the \"thinking\" of it"}]}]})";
constexpr std::string_view only_thinks =
    R"({"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"S"}]})";

std::string refusal(std::string_view message)
{
    return testing::reply(400, "application/json",
        R"({"type":"error","error":{"type":"invalid_request_error","message":")" +
            std::string{message} + "\"}}");
}

const std::string bad_signature =
    refusal("messages.1.content.0: Invalid `signature` in `thinking` block");

// Refuses thinking for as long as there is some, `always`: also without.
byte_server::script strict(bool always)
{
    return [always](peer& with) {
        for (auto request = with.read_request(); !request.empty(); request = with.read_request()) {
            const bool has_some = request.find("\"signature\"") != std::string::npos;
            with.send(has_some || always ? bad_signature : streamed(text_stream()));
        }
    };
}

model::request thoughtful()
{
    auto what = simple_request();
    what.messages = messages({asks, thinks, answers});
    return what;
}

} // namespace

TEST_CASE("thinking: which refusals are about it")
{
    struct row {
        int status;
        std::string_view message;
        bool is_it;
    };
    for (const auto& r :
        {row{400, "messages.1.content.0: Invalid `signature` in `thinking` block", true},
            row{400,
                "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified",
                true},
            row{400, "block is Bound to a different conversation", true},
            row{400, "thinking: budget_tokens must be at least 1024", false},
            row{400, "the signature of the function is wrong", false},
            row{500, "Invalid `signature` in `thinking` block", false}}) {
        CHECK_MESSAGE(is_bad_thinking(r.status, r.message) == r.is_it, r.message);
    }
}

TEST_CASE("thinking: taken out of the assistant's messages, all other bytes stay")
{
    const auto history = messages({asks, thinks, answers});
    const auto rest = without_thinking(history);
    CHECK(texts(rest) ==
        std::vector<std::string>{std::string{asks}, std::string{acts}, std::string{answers}});
    CHECK(rest->at(0) == history.at(0)); // shared
    CHECK(rest->at(2) == history.at(2));
    CHECK_FALSE(without_thinking(messages({asks, acts, answers})));
    CHECK_FALSE(without_thinking({}));
    CHECK_FALSE(without_thinking(messages({asks, "{\"thinking\"broken"})));
}

TEST_CASE("thinking: where nothing else was said the message goes, and its neighbours are one")
{
    const auto next = R"({"role":"user","content":[{"type":"text","text":"b"}]})";
    CHECK(texts(without_thinking(messages({asks, only_thinks, next, acts, answers}))) ==
        std::vector<std::string>{
            R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})",
            std::string{acts}, std::string{answers}});
    CHECK(texts(without_thinking(
              messages({asks, only_thinks, R"({"role":"user","content":"b"})"}))) ==
        std::vector<std::string>{
            R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})"});
    // The last one, of a paused reply that is to be continued.
    CHECK(texts(without_thinking(messages({asks, only_thinks}))) ==
        std::vector<std::string>{std::string{asks}});
}

TEST_CASE("thinking: a refused signature is answered by one request without it, and it is told")
{
    const byte_server server{{strict(false)}};
    const auto got = ask(options_for(server), thoughtful()); // retry_attempts = 1
    REQUIRE(got.outcome.has_value());
    CHECK(got.outcome->without_thinking);
    CHECK(got.outcome->attempts == 2);
    REQUIRE(got.retries.size() == 1);
    CHECK(got.retries[0].second == 0ms);
    CHECK(got.retries[0].first.message.find("signature") != std::string::npos);
    const auto requests = server.requests();
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].find(thinks) != std::string::npos);
    CHECK(requests[1].find(acts) != std::string::npos);
    CHECK(requests[1].find("redacted_thinking") == std::string::npos);
}

TEST_CASE("thinking: a server that is not content without it either has the last word")
{
    const byte_server server{{strict(true)}};
    auto with = options_for(server);
    with.retry_attempts = 0;
    const auto got = ask(with, thoughtful());
    CHECK(got.type() == "invalid_request_error");
    CHECK(server.requests().size() == 2);
    // Nothing to leave out: nothing to try.
    CHECK(ask(with).type() == "invalid_request_error");
    CHECK(server.requests().size() == 3);
}
