// Scenario files: what is refused, and which requests match.
#include "tests/support/scripted_model/matcher.hpp"
#include "tests/support/scripted_model/message_text.hpp"
#include "tests/support/scripted_model/scenario.hpp"
#include "tests/support/scripted_model/substitute.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <string_view>

using namespace agentd::testing;
namespace json = boost::json;

namespace {

std::string fault_of(std::string_view text)
{
    auto parsed = parse_scenario(text);
    return parsed ? std::string{} : parsed.error();
}

step first_step(std::string_view text)
{
    auto parsed = parse_scenario(R"({"default":{"steps":[)" + std::string{text} + "]}}");
    REQUIRE_MESSAGE(parsed.has_value(), parsed.error());
    return parsed->scripts.front().steps.front();
}

// A request with a call, its two results and a text behind them.
const json::object& sample()
{
    static const json::object body = json::parse(R"({"model":"m","max_tokens":7,"stream":true,
        "system":"You are.","tools":[{"name":"bash"}],
        "messages":[{"role":"user","content":"do it"},
          {"role":"assistant","content":[{"type":"text","text":"ok"},
            {"type":"tool_use","id":"t1","name":"bash","input":{"command":"ls"}},
            {"type":"tool_use","id":"t2","name":"bash","input":{"command":"false"}}]},
          {"role":"user","content":[
            {"type":"tool_result","tool_use_id":"t2","content":"bad","is_error":true},
            {"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"id: 1f3a"},
              {"type":"text","text":"more"}]},
            {"type":"text","text":"go on"}]}]})")
                                         .get_object();
    return body;
}

std::string missing(std::string_view expect, const variables& known = {})
{
    auto with = first_step(R"({"expect":)" + std::string{expect} + R"(,"reply":{"content":[]}})");
    header_list headers{{"x-api-key", "k"}};
    return unmet(with.expect, matched_request{sample(), headers}, known).value_or("");
}

} // namespace

TEST_CASE("scenario: what is not known is refused with its path")
{
    struct row {
        std::string_view text;
        std::string_view fault;
    };
    constexpr std::string_view ok = R"("reply":{"content":[]})";
    const row rows[] = {
        {"[]", ": must be an object"},
        {"{", "no JSON"},
        {"{}", "conversations: must hold at least one"},
        {R"({"convesations":[]})", "convesations: unknown key"},
        {R"({"conversations":[{"steps":[{"reply":{"content":[]}}]}]})",
            "conversations[0].match: missing"},
        {R"({"default":{}})", "default.steps: must hold"},
        {R"({"default":{"steps":[{}]}})", "default.steps[0].reply: missing"},
        {R"({"default":{"steps":[{"reply":{}}]}})", "steps[0].reply: needs one of"},
        {R"({"default":{"steps":[{"reply":{"content":[],"x":1}}]}})", "reply.x: unknown key"},
        {R"({"default":{"steps":[{"reply":{"content":[],"hold_after_events":1}}]}})",
            "needs \"hold\""},
        {R"({"default":{"steps":[{"reply":{"content":[{}]}}]}})", "content[0].type: missing"},
        {R"({"default":{"steps":[{"reply":{"content":[],"delay_ms":-1}}]}})", "not negative"},
        {R"({"default":{"steps":[{"reply":{"status":99}}]}})", "from 200 to 599"},
        {R"({"default":{"steps":[{"expect":{"contain":"x"},"reply":{"content":[]}}]}})",
            "steps[0].expect.contain: unknown key"},
        {R"({"default":{"steps":[{"expect":{"matches":"("},"reply":{"content":[]}}]}})",
            "expect.matches"},
        {R"({"default":{"steps":[{"capture":{"a":"b"},"reply":{"content":[]}}]}})",
            "needs one group"},
        {R"({"default":{"then":"stop","steps":[{"reply":{"content":[]}}]}})", "default.then"},
        {R"({"default":{"strict_append":1,"steps":[{"reply":{"content":[]}}]}})", "strict_append"},
    };
    for (const auto& [text, fault] : rows) {
        CAPTURE(text);
        CHECK(fault_of(text).find(fault) != std::string::npos);
    }
    CHECK(fault_of(R"({"default":{"steps":[{"expect":{"matches":"${id} a+"},)" + std::string{ok} +
              "}]}}") == "");
    CHECK(fault_of(R"({"default":{"steps":[{)" + std::string{ok} + "}]}}") == "");
    CHECK(fault_of(R"({"default":{"steps":[{"a":1,"b":2}]}})").find('\n') != std::string::npos);
}

TEST_CASE("scenario: those in tests/support/scenarios are right")
{
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator{AGENTD_SCENARIOS}) {
        if (entry.path().extension() != ".json")
            continue;
        auto loaded = load_scenario(entry.path().string());
        CHECK_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error()));
        ++count;
    }
    CHECK(count > 0);
}

TEST_CASE("scenario: the first match wins and the default comes last")
{
    auto parsed = parse_scenario(R"({"default":{"steps":[{"reply":{"content":[]}}]},
        "conversations":[{"match":{"prompt":"a"},"steps":[{"reply":{"status":529}}]}]})");
    REQUIRE(parsed.has_value());
    REQUIRE(parsed->scripts.size() == 2);
    CHECK(parsed->scripts[0].key == "a");
    CHECK(parsed->scripts[1].key == "default");
}

TEST_CASE("matcher: expectations that are met")
{
    CHECK(missing("{}") == "");
    CHECK(missing(R"({"contains":["id: 1f3a","go on"],"not_contains":["do it"]})") == "");
    CHECK(missing(R"({"contains_in_order":["bad","1f3a","more","go"]})") == "");
    CHECK(missing(R"({"matches":"id: [0-9a-f]{4}"})") == "");
    CHECK(missing(R"({"history_contains":["do it","ls"]})") == "");
    CHECK(missing(R"({"history_in_order":["do it","ls","1f3a"],"history_once":"do it"})") == "");
    CHECK(missing(R"({"system_contains":"You","model":"m","stream":true,"max_tokens":7})") == "");
    CHECK(missing(R"({"message_count":3,"last_block_type":"text","tools":["bash"]})") == "");
    CHECK(missing(R"({"headers":{"X-Api-Key":"k","authorization":null}})") == "");
    CHECK(missing(R"({"contains":"id: ${id}"})", {{"id", "1f3a"}}) == "");
    CHECK(missing(R"({"tool_results":[{"contains":"1f3a","is_error":false},{"is_error":true}]})") ==
        "");
}

TEST_CASE("matcher: what is not met says what was wanted and what is there")
{
    CHECK(missing(R"({"contains":"xyz"})").find("\"xyz\" is not in \"bad\nid: 1f3a") !=
        std::string::npos);
    CHECK(missing(R"({"not_contains":"bad"})").find("not_contains") == 0);
    CHECK(missing(R"({"contains_in_order":["1f3a","bad"]})").find("contains_in_order") == 0);
    CHECK(missing(R"({"matches":"^zzz"})").find("matches") == 0);
    CHECK(missing(R"({"history_contains":"zzz"})").find("history_contains") == 0);
    CHECK(missing(R"({"history_in_order":["ls","do it"]})").find("history_in_order") == 0);
    CHECK(missing(R"({"history_once":"bash"})") == "history_once: \"bash\" is there 2 times");
    CHECK(missing(R"({"system_contains":"zzz"})").find("system_contains") == 0);
    CHECK(missing(R"({"model":"other"})").find("model") == 0);
    CHECK(missing(R"({"message_count":1})") == "message_count: 1 wanted, is 3");
    CHECK(missing(R"({"last_block_type":"tool_result"})").find("last_block_type") == 0);
    CHECK(missing(R"({"headers":{"authorization":"x"}})") == "headers.authorization: is absent");
    CHECK(missing(R"({"headers":{"x-api-key":null}})").find("must be absent") != std::string::npos);
    CHECK(missing(R"({"tool_results":[{}]})").find("1 wanted, 2 in the last") != std::string::npos);
    CHECK(missing(R"({"tool_results":[{"is_error":true},{}]})").find("tool_results[0].is_error") ==
        0);
    CHECK(missing(R"({"tools":["python"]})").find("no tool \"python\"") != std::string::npos);
}

TEST_CASE("matcher: a capture goes into later texts, unknown names stay")
{
    auto with = first_step(R"x({"capture":{"id":"id: (\\w+)"},"reply":{"content":[]}})x");
    variables known;
    header_list headers;
    CHECK(!capture(with, matched_request{sample(), headers}, known));
    CHECK(substituted(std::string_view{"<${id}> ${HOME} ${id"}, known) == "<1f3a> ${HOME} ${id");
    CHECK(substituted(std::string_view{"${a${id}}"}, known) == "${a1f3a}");
    auto value = json::parse(R"({"a":["${id}",1]})");
    CHECK(json::serialize(substituted(value, known)) == R"({"a":["1f3a",1]})");
    with = first_step(R"x({"capture":{"x":"(zzz)"},"reply":{"content":[]}})x");
    auto nothing = capture(with, matched_request{sample(), headers}, known).value_or("");
    CHECK(nothing.starts_with("capture.x"));
}

TEST_CASE("message_text: texts are cut on character boundaries")
{
    CHECK(shortened("abc", 3) == "abc");
    CHECK(shortened("a\xC3\xA9z", 2) == "a... (3 bytes more)");
}
