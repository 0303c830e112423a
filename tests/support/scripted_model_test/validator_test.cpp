// The rules of the API, each broken in turn: a validator that lets one pass would let the
// daemon break it, too. Pure, no server.
#include "tests/support/scripted_model/validator.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace agentd::testing;
namespace json = boost::json;

namespace {

struct row {
    std::string_view rule;
    std::string_view json;   // the body, or a part of it
    std::string_view reason; // must be in the complaint; "" = valid
};

std::string verdict_on(std::string_view body, const validation_context& context = {})
{
    boost::system::error_code error;
    auto value = json::parse({body.data(), body.size()}, error);
    REQUIRE_MESSAGE(!error, "the test's own JSON is broken: ", body);
    return validate_request(value.get_object(), context).value_or("");
}

void check_rows(const std::vector<row>& rows, std::string_view before, std::string_view after)
{
    for (const auto& [rule, part, reason] : rows) {
        CAPTURE(rule);
        auto why = verdict_on(std::string{before} + std::string{part} + std::string{after});
        CAPTURE(why);
        if (reason.empty())
            CHECK(why.empty());
        else
            CHECK(why.find(reason) != std::string::npos);
    }
}

constexpr std::string_view with_messages = R"({"model":"m","max_tokens":9,"messages":)";
constexpr std::string_view with_hello =
    R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}])";

} // namespace

TEST_CASE("validator: a full and right request passes")
{
    CHECK(verdict_on(R"({"model":"claude-opus-5-5","max_tokens":16000,"stream":true,
        "system":[{"type":"text","text":"You.","cache_control":{"type":"ephemeral","ttl":"1h"}}],
        "tools":[{"name":"bash","description":"d","input_schema":{"type":"object"}}],
        "tool_choice":{"type":"auto"},"thinking":{"type":"adaptive"},
        "output_config":{"effort":"high"},"metadata":{"user_id":"u"},"stop_sequences":["<<END>>"],
        "messages":[{"role":"user","content":[{"type":"text","text":"List."}]},
          {"role":"assistant","content":[
            {"type":"thinking","thinking":"","signature":"s"},
            {"type":"tool_use","id":"toolu_A","name":"bash","input":{}},
            {"type":"tool_use","id":"toolu_B","name":"bash","input":{"a":1}}]},
          {"role":"user","content":[
            {"type":"tool_result","tool_use_id":"toolu_A","content":"x","is_error":true},
            {"type":"tool_result","tool_use_id":"toolu_B","content":[{"type":"text","text":"y"}],
             "cache_control":{"type":"ephemeral"}},
            {"type":"text","text":"and now"}]}]})") == "");
}

TEST_CASE("validator: top-level fields, each wrong in turn")
{
    check_rows(
        {
            {"no model", R"({"max_tokens":9,"messages":[]})", "model: Field required"},
            {"model no string", R"({"model":1,"max_tokens":9,"messages":[]})", "model: Input"},
            {"no messages", R"({"model":"m","max_tokens":9})", "messages: Field required"},
            {"messages empty", R"({"model":"m","max_tokens":9,"messages":[]})", "at least one"},
            {"no max_tokens", R"({"model":"m","messages":[]})", "max_tokens: Field required"},
            {"max_tokens 0", R"({"model":"m","max_tokens":0,"messages":[]})", "max_tokens"},
            {"max_tokens text", R"({"model":"m","max_tokens":"9","messages":[]})", "max_tokens"},
            {"max_tokens real", R"({"model":"m","max_tokens":9.5,"messages":[]})", "max_tokens"},
            {"max_tokens huge", R"({"model":"m","max_tokens":128001,"messages":[]})", "128001"},
        },
        "", "");
    check_rows(
        {
            {"nothing more", "", ""},
            {"unknown field", R"(,"foo":1)", "foo: Extra inputs are not permitted"},
            {"temperature", R"(,"temperature":1)", "temperature"},
            {"top_p", R"(,"top_p":1)", "top_p"},
            {"top_k", R"(,"top_k":1)", "top_k"},
            {"beta field without beta", R"(,"compaction":{})", "compaction: Extra inputs"},
            {"stream no bool", R"(,"stream":1)", "stream: Input should be a valid boolean"},
            {"system empty", R"(,"system":"")", "system: text content blocks must be non-empty"},
            {"system block empty", R"(,"system":[{"type":"text","text":""}])", "non-empty"},
            {"system of another type", R"(,"system":[{"type":"image","source":{}}])", "system.0"},
            {"stop sequence blank", R"(,"stop_sequences":[" "])", "stop_sequences"},
            {"service tier", R"(,"service_tier":"fast")", "service_tier"},
            {"effort", R"(,"output_config":{"effort":"huge"})", "output_config.effort"},
            {"metadata field", R"(,"metadata":{"x":1})", "metadata.x: Extra inputs"},
            {"thinking type", R"(,"thinking":{"type":"on"})", "thinking.type"},
            {"thinking budget", R"(,"thinking":{"type":"enabled","budget_tokens":9})", "1024"},
            {"tool_choice alone", R"(,"tool_choice":{"type":"auto"})", "while providing tools"},
            {"tool name", R"(,"tools":[{"name":"a b","input_schema":{"type":"object"}}])", "match"},
            {"tool without schema", R"(,"tools":[{"name":"a"}])", "input_schema: Field required"},
            {"schema type", R"(,"tools":[{"name":"a","input_schema":{"type":"string"}}])",
                "input_schema.type"},
            {"tool field", R"(,"tools":[{"name":"a","input_schema":{"type":"object"},"x":1}])",
                "tools.0.custom.x: Extra inputs"},
            {"tool twice",
                R"(,"tools":[{"name":"a","input_schema":{"type":"object"}},)"
                R"({"name":"a","input_schema":{"type":"object"}}])",
                "unique"},
            {"unknown tool chosen",
                R"(,"tools":[{"name":"a","input_schema":{"type":"object"}}],)"
                R"("tool_choice":{"type":"tool","name":"b"})",
                "not found"},
            {"forced tool with thinking",
                R"(,"tools":[{"name":"a","input_schema":{"type":"object"}}],)"
                R"("thinking":{"type":"adaptive"},"tool_choice":{"type":"any"})",
                "Thinking may not"},
        },
        with_hello, "}");
}

TEST_CASE("validator: roles and texts, each wrong in turn")
{
    check_rows(
        {
            {"first is assistant", R"([{"role":"assistant","content":"a"}])", "messages.0"},
            {"last is assistant",
                R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"}])", "prefill"},
            {"two users", R"([{"role":"user","content":"a"},{"role":"user","content":"b"}])",
                "messages.1: roles must alternate"},
            {"system role", R"([{"role":"user","content":"a"},{"role":"system","content":"b"}])",
                "role 'system' is not supported"},
            {"unknown role", R"([{"role":"tool","content":"a"}])", "messages.0.role"},
            {"no role", R"([{"content":"a"}])", "messages.0.role: Field required"},
            {"no content", R"([{"role":"user"}])", "messages.0.content: Field required"},
            {"extra field", R"([{"role":"user","content":"a","id":1}])", "Extra inputs"},
            {"no object", R"(["a"])", "messages.0: Input should be a valid dictionary"},
            {"content null", R"([{"role":"user","content":null}])", "messages.0.content"},
            {"empty string", R"([{"role":"user","content":""}])", "non-empty"},
            {"blank string", R"([{"role":"user","content":" \n"}])", "non-whitespace"},
            {"no blocks", R"([{"role":"user","content":[]}])", "non-empty content"},
            {"empty block", R"([{"role":"user","content":[{"type":"text","text":""}]}])",
                "messages.0.content.0.text: text content blocks must be non-empty"},
            {"blank block", R"([{"role":"user","content":[{"type":"text","text":" "}]}])",
                "non-whitespace"},
            {"blank beside a real one",
                R"([{"role":"user","content":[{"type":"text","text":" "},)"
                R"({"type":"text","text":"x"}]}])",
                ""},
        },
        with_messages, "}");
}

TEST_CASE("validator: blocks, each wrong in turn")
{
    check_rows(
        {
            {"unknown type", R"({"type":"future"})", "Input tag 'future'"},
            {"no type", R"({"text":"x"})", "content.0.type: Field required"},
            {"text missing", R"({"type":"text"})", "content.0.text.text: Field required"},
            {"text extra", R"({"type":"text","text":"x","id":1})", "text.id: Extra inputs"},
            {"tool_use by user", R"({"type":"tool_use","id":"a","name":"b","input":{}})",
                "not permitted in user messages"},
            {"thinking by user", R"({"type":"thinking","thinking":"","signature":"s"})",
                "not permitted"},
            {"server tool by user", R"({"type":"server_tool_use","id":"a"})", "assistant messages"},
            {"mark of another type",
                R"({"type":"text","text":"x","cache_control":{"type":"forever"}})", "ephemeral"},
            {"mark ttl",
                R"({"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"2h"}})",
                "ttl"},
            {"image source", R"({"type":"image","source":{"type":"disk"}})", "source.type"},
        },
        R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[)", "]}]}");
    check_rows(
        {
            {"input no object", R"({"type":"tool_use","id":"a","name":"b","input":[1]})",
                "tool_use.input: Input should be a valid dictionary"},
            {"input missing", R"({"type":"tool_use","id":"a","name":"b"})", "input: Field"},
            {"id with a blank", R"({"type":"tool_use","id":"a b","name":"b","input":{}})", ".id"},
            {"name with a blank", R"({"type":"tool_use","id":"a","name":"b c","input":{}})",
                ".name"},
            {"mark on thinking",
                R"({"type":"thinking","thinking":"","signature":"s",)"
                R"("cache_control":{"type":"ephemeral"}})",
                "thinking.cache_control: Extra inputs"},
            {"signature missing", R"({"type":"thinking","thinking":"x"})", "signature: Field"},
            {"result by assistant", R"({"type":"tool_result","tool_use_id":"a"})", "not permitted"},
            {"image by assistant", R"({"type":"image","source":{"type":"url"}})", "not permitted"},
        },
        R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},)"
        R"({"role":"assistant","content":[)",
        R"(]},{"role":"user","content":"y"}]})");
}

TEST_CASE("validator: tool calls and results, each wrong in turn")
{
    check_rows(
        {
            {"all answered",
                R"({"type":"tool_result","tool_use_id":"a"},{"type":"tool_result","tool_use_id":"b"})",
                ""},
            {"other order is allowed",
                R"({"type":"tool_result","tool_use_id":"b"},{"type":"tool_result","tool_use_id":"a"})",
                ""},
            {"one missing", R"({"type":"tool_result","tool_use_id":"a"})",
                "messages.1: `tool_use` ids were found without `tool_result` blocks immediately "
                "after: b."},
            {"none", R"({"type":"text","text":"x"})", "immediately after: a, b."},
            {"text first",
                R"({"type":"text","text":"x"},{"type":"tool_result","tool_use_id":"a"},)"
                R"({"type":"tool_result","tool_use_id":"b"})",
                "messages.2.content.1: `tool_result` blocks must come before"},
            {"text between",
                R"({"type":"tool_result","tool_use_id":"a"},{"type":"text","text":"x"},)"
                R"({"type":"tool_result","tool_use_id":"b"})",
                "must come before"},
            {"twice",
                R"({"type":"tool_result","tool_use_id":"a"},{"type":"tool_result","tool_use_id":"a"},)"
                R"({"type":"tool_result","tool_use_id":"b"})",
                "single result"},
            {"unknown id",
                R"({"type":"tool_result","tool_use_id":"a"},{"type":"tool_result","tool_use_id":"c"},)"
                R"({"type":"tool_result","tool_use_id":"b"})",
                "unexpected `tool_use_id` found in `tool_result` blocks: c"},
            {"empty result text",
                R"({"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":""}]})",
                "non-empty"},
            {"nested result",
                R"({"type":"tool_result","tool_use_id":"a","content":[{"type":"tool_result"}]})",
                "not permitted in tool results"},
            {"is_error no bool", R"({"type":"tool_result","tool_use_id":"a","is_error":"yes"})",
                "is_error"},
        },
        R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},)"
        R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"t","input":{}},)"
        R"({"type":"tool_use","id":"b","name":"t","input":{}}]},{"role":"user","content":[)",
        "]}]}");
}

TEST_CASE("validator: results come in the very next message and ids are unique")
{
    check_rows(
        {
            {"late",
                R"([{"role":"user","content":"x"},)"
                R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"t","input":{}}]},)"
                R"({"role":"user","content":"y"},{"role":"assistant","content":"z"},)"
                R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}])",
                "immediately after: a."},
            {"id used again",
                R"([{"role":"user","content":"x"},)"
                R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"t","input":{}}]},)"
                R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]},)"
                R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"t","input":{}}]},)"
                R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}])",
                "ids must be unique: a"},
            {"result without any call",
                R"([{"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}])",
                "unexpected `tool_use_id`"},
            {"text while a server tool is open",
                R"([{"role":"user","content":"x"},{"role":"assistant","content":[)"
                R"({"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}]},)"
                R"({"role":"user","content":"y"}])",
                "srvtoolu_1"},
        },
        with_messages, "}");
}

TEST_CASE("validator: at most four cache marks, longer ones first")
{
    constexpr std::string_view mark = R"("cache_control":{"type":"ephemeral"})";
    std::string blocks;
    for (int i = 0; i < 4; ++i)
        blocks += std::string{i == 0 ? "" : ","} + R"({"type":"text","text":"x",)" +
            std::string{mark} + "}";
    auto body = [&blocks](std::string_view more) {
        return R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[)" + blocks +
            "]}]" + std::string{more} + "}";
    };
    CHECK(verdict_on(body("")) == "");
    CHECK(verdict_on(body("," + std::string{mark})).find("maximum of 4") != std::string::npos);
    CHECK(verdict_on(R"({"model":"m","max_tokens":9,
        "system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],
        "messages":[{"role":"user","content":[{"type":"text","text":"x",
          "cache_control":{"type":"ephemeral","ttl":"1h"}}]}]})")
              .find("must not come after") != std::string::npos);
}

TEST_CASE("validator: a continued pause_turn may end with the assistant")
{
    validation_context paused;
    paused.pause_turn_open = true;
    constexpr std::string_view body =
        R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},)"
        R"({"role":"assistant","content":"so far"}]})";
    CHECK(verdict_on(body, paused) == "");
    CHECK(verdict_on(body) != "");
}

TEST_CASE("validator: count_tokens takes neither max_tokens nor stream")
{
    validation_context count;
    count.count_tokens = true;
    CHECK(verdict_on(R"({"model":"m","messages":[{"role":"user","content":"x"}]})", count) == "");
    CHECK(verdict_on(R"({"model":"m","max_tokens":1,"messages":[]})", count) != "");
    CHECK(verdict_on(R"({"model":"m","stream":true,"messages":[]})", count) != "");
}
