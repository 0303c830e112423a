// What counts as unchanged history, byte for byte, and what of it may still grow.
#include "tests/support/scripted_model/history_check.hpp"
#include "tests/support/scripted_model/raw_json.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace agentd::testing;
namespace json = boost::json;

namespace {

sent_history sent(std::string_view messages)
{
    return history_of(R"({"model":"m","system":"s","messages":)" + std::string{messages} + "}");
}

last_answer whole(std::string_view content, std::string_view stop_reason = "")
{
    reply from;
    from.content = json::parse({content.data(), content.size()}).get_array();
    from.stop_reason = stop_reason;
    id_source ids{1};
    return answer_given(make_message(from, {}, "m", 0, ids), 200);
}

std::string compare(const sent_history& before, const last_answer& answer, const sent_history& now,
    append_rule rule = append_rule::strict)
{
    return check_history(before, answer, now, rule).value_or("");
}

constexpr std::string_view hello = R"([{"role":"user","content":[{"type":"text","text":"a"}]}])";
constexpr std::string_view called =
    R"([{"role":"user","content":"a"},{"role":"assistant","content":[)"
    R"({"type":"tool_use","id":"t","name":"n","input":{}}]},)";

} // namespace

TEST_CASE("raw_json: members and elements keep their bytes")
{
    auto members = raw_members(R"({ "a" : [1, "x\"]}"], "b":{"c":1.0}, "d":"" })");
    REQUIRE(members.size() == 3);
    CHECK(members[0].value == R"([1, "x\"]}"])");
    CHECK(members[1].value == R"({"c":1.0})");
    CHECK(members[2].value == R"("")");
    auto elements = raw_elements(R"([ 1.50 ,"]", {"a":[]} , [] ])");
    REQUIRE(elements.size() == 4);
    CHECK(elements[0] == "1.50");
    CHECK(elements[2] == R"({"a":[]})");
    CHECK(raw_elements("[]").empty());
    CHECK(raw_members("17").empty());
}

TEST_CASE("raw_json: broken text stays inside its bounds")
{
    for (std::string_view text : {"{", "[", "{\"a", "{\"a\":", "[\"\\", "[[", "{\"a\":[1,", ""}) {
        CHECK(raw_members(text).size() <= 1);
        CHECK(raw_elements(text).size() <= 1);
    }
}

TEST_CASE("raw_json: cache marks are cut out of blocks, not out of tool inputs")
{
    CHECK(
        without_cache_marks(
            R"({"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"e"}}]})") ==
        R"({"role":"user","content":[{"type":"text","text":"a"}]})");
    CHECK(without_cache_marks(
              R"({"role":"user","content":[{"cache_control":{},"type":"text","text":"a"}]})") ==
        R"({"role":"user","content":[{"type":"text","text":"a"}]})");
    CHECK(without_cache_marks(
              R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":)"
              R"([{"type":"text","text":"a","cache_control":{}}],"cache_control":{}}]})") ==
        R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":)"
        R"([{"type":"text","text":"a"}]}]})");
    std::string input =
        R"({"role":"assistant","content":[{"type":"tool_use","input":{"cache_control":1}}]})";
    CHECK(without_cache_marks(input) == input);
}

TEST_CASE("history: the same request again is right, with marks moved, too")
{
    auto marked = sent(R"([{"role":"user","content":)"
                       R"([{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}])");
    CHECK(compare(sent(hello), last_answer{}, sent(hello)) == "");
    CHECK(compare(sent(hello), last_answer{}, marked) == "");
    CHECK(compare(marked, whole(R"([{"type":"text","text":"b"}])"), sent(hello)) == "");
}

TEST_CASE("history: one byte changed in an earlier message is found")
{
    auto before = sent(R"([{"role":"user","content":"ab"},{"role":"assistant","content":"c"},)"
                       R"({"role":"user","content":"d"}])");
    auto now = sent(R"([{"role":"user","content":"aB"},{"role":"assistant","content":"c"},)"
                    R"({"role":"user","content":"d"}])");
    CHECK(compare(before, last_answer{}, now).find("messages.0: history must not change") == 0);
    CHECK(compare(before, last_answer{}, now, append_rule::off) == "");
    CHECK(compare(before, last_answer{}, sent(hello)).find("must only grow") != std::string::npos);
}

TEST_CASE("history: system and tools stay, unless the model changes")
{
    auto before = sent(hello);
    auto now = before;
    now.system = R"("other")";
    CHECK(compare(before, last_answer{}, now).find("system: changed") == 0);
    now.model = R"("another")";
    CHECK(compare(before, last_answer{}, now) == "");
}

TEST_CASE("history: an unanswered last message may grow at its end, an answered one not")
{
    auto grown = sent(R"([{"role":"user","content":[{"type":"text","text":"a"},)"
                      R"({"type":"text","text":"b"}]}])");
    auto answer = whole(R"([{"type":"text","text":"x"}])");
    CHECK(compare(sent(hello), last_answer{}, grown) == "");
    CHECK(compare(sent(hello), answer, grown).find("after a complete reply") != std::string::npos);
    CHECK(compare(sent(hello), answer, grown, append_rule::extendable) == "");
    CHECK(compare(grown, last_answer{}, sent(hello)).find("may only be extended") !=
        std::string::npos);
}

TEST_CASE("history: inside, only the last tool result may grow")
{
    auto with_results = [](std::string_view first, std::string_view last) {
        return sent(std::string{called} +
            R"({"role":"user","content":[)"
            R"({"type":"tool_result","tool_use_id":"t","content":)" +
            std::string{first} + R"(},{"type":"tool_result","tool_use_id":"u","content":)" +
            std::string{last} + "}]}]");
    };
    constexpr std::string_view one = R"([{"type":"text","text":"1"}])";
    constexpr std::string_view two = R"([{"type":"text","text":"1"},{"type":"text","text":"2"}])";
    auto before = with_results(one, one);
    CHECK(compare(before, last_answer{}, with_results(one, two)) == "");
    CHECK(compare(with_results(one, R"("1")"), last_answer{}, with_results(one, two)) == "");
    CHECK(compare(before, last_answer{}, with_results(two, one)) != "");
}

TEST_CASE("history: the reply is repeated as it was given")
{
    auto answer = whole(R"([{"type":"text","text":"t"},{"type":"thinking","thinking":"x",)"
                        R"("signature":"S"},{"type":"tool_use","id":"t","name":"n",)"
                        R"("input_raw":"{\"n\": 1.0}"}])");
    auto echoed = [](std::string_view assistant) {
        return sent(R"([{"role":"user","content":[{"type":"text","text":"a"}]},)"
                    R"({"role":"assistant","content":[)" +
            std::string{assistant} +
            R"(]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}])");
    };
    const std::string text = R"({"type":"text","text":"t"},)";
    const std::string thought = R"({"type":"thinking","thinking":"x","signature":"S"},)";
    const std::string call = R"({"type":"tool_use","id":"t","name":"n","input":{"n": 1.0}})";
    CHECK(compare(sent(hello), answer, echoed(text + thought + call)) == "");
    CHECK(compare(sent(hello), answer, echoed(text + call)) != "");
    CHECK(
        compare(sent(hello), answer,
            echoed(text + thought + R"({"type":"tool_use","id":"t","name":"n","input":{"n":1.0}})"))
            .find(".input:") != std::string::npos);
    CHECK(compare(sent(hello), answer,
              echoed(text + R"({"type":"thinking","thinking":"x","signature":"T"},)" + call))
              .find("signature") != std::string::npos);
    CHECK(
        compare(sent(hello), last_answer{}, echoed(text + thought + call)).find("never replied") !=
        std::string::npos);
}

TEST_CASE("history: a continued pause_turn grows the assistant's message")
{
    auto paused = whole(R"([{"type":"text","text":"one"}])", "pause_turn");
    auto before = sent(R"([{"role":"user","content":"a"}])");
    auto first = sent(R"([{"role":"user","content":"a"},)"
                      R"({"role":"assistant","content":[{"type":"text","text":"one"}]}])");
    auto second = sent(R"([{"role":"user","content":"a"},{"role":"assistant","content":[)"
                       R"({"type":"text","text":"one"},{"type":"text","text":"two"}]},)"
                       R"({"role":"user","content":"b"}])");
    CHECK(compare(before, paused, first) == "");
    CHECK(compare(first, last_answer{}, first) == "");
    CHECK(compare(first, whole(R"([{"type":"text","text":"two"}])"), second) == "");
    CHECK(compare(first, whole(R"([{"type":"text","text":"three"}])"), second) != "");
}

TEST_CASE("history: after a refusal the conversation may start anew")
{
    auto refused = whole(R"([])", "refusal");
    CHECK(compare(sent(hello), refused, sent(R"([{"role":"user","content":"z"}])")) == "");
}

TEST_CASE("history: the element of background results of an unanswered message grows inside")
{
    const auto with = [](std::string_view entries) {
        return sent(R"([{"role":"user","content":[{"type":"text","text":"<background-results>\n)" +
            std::string{entries} + R"(</background-results>"},{"type":"text","text":"go"}]}])");
    };
    CHECK(compare(with("a\\n"), {}, with("a\\nb\\n")).empty());
    CHECK_FALSE(compare(with("a\\n"), {}, with("b\\n")).empty());
    CHECK_FALSE(compare(with("a\\nb\\n"), {}, with("a\\n")).empty());
    CHECK_FALSE(
        compare(with("a\\n"), whole(R"([{"type":"text","text":"x"}])"), with("a\\nb\\n")).empty());
}
