#include "proto/json/reader.hpp"
#include "proto/messages/encode.hpp"

#include <doctest/doctest.h>

using namespace agentd::proto;
using namespace agentd::proto::messages;

namespace {

std::string body(const std::vector<std::string>& history, std::string_view system = {},
    std::string_view tools = {})
{
    body_parts parts{
        .model = "m", .max_tokens = 10, .system = system, .tools = tools, .messages = {}};
    parts.messages.assign(history.begin(), history.end());
    const request_body made{parts};
    CHECK(made.joined().size() == made.size());
    CHECK(json::parse_object(made.joined()).has_value());
    return made.joined();
}

std::size_t marks(std::string_view text)
{
    std::size_t n = 0;
    for (auto at = text.find("cache_control"); at != std::string_view::npos;
        at = text.find("cache_control", at + 1))
        ++n;
    return n;
}

std::string user(std::string_view text)
{
    const std::vector<std::string> blocks{text_block(text)};
    return user_message(content_of(blocks));
}

} // namespace

TEST_CASE("encode: blocks and messages have their wire form")
{
    CHECK(text_block("a\"b") == R"({"type":"text","text":"a\"b"})");
    CHECK(tool_result_block("toolu_1", "out", false) ==
        R"({"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"out"}]})");
    CHECK(tool_result_block("toolu_1", "Error: no", true) ==
        R"({"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"Error: no"}],"is_error":true})");
    CHECK(user("hi") == R"({"role":"user","content":[{"type":"text","text":"hi"}]})");
    CHECK(assistant_message("[]") == R"({"role":"assistant","content":[]})");
}

TEST_CASE("case 79 empty_text_filter: nothing blank is ever encoded")
{
    CHECK(is_blank(""));
    CHECK(is_blank(" \n\t"));
    CHECK_FALSE(is_blank(" x"));
    CHECK(tool_result_block("t", " \n", false).find("(no output)") != std::string::npos);
    const std::vector<std::string> parts{"", "  ", "You are."};
    CHECK(system_blocks(parts) == R"([{"type":"text","text":"You are."}])");
    CHECK(system_blocks({}).empty());
}

TEST_CASE("encode: appended blocks leave the bytes before them as they were")
{
    const std::vector<std::string> more{"{\"x\":1}", "{\"y\":2}"};
    CHECK(append_blocks("[]", more) == R"([{"x":1},{"y":2}])");
    CHECK(append_blocks(R"([ {"n":1.0} ])", more) == R"([ {"n":1.0} ,{"x":1},{"y":2}])");
}

TEST_CASE(
    "case 81 bg_in_tool_result: a text goes inside the last tool_result, whatever its content")
{
    const std::string a = tool_result_block("a", "one", false);
    const std::string b = tool_result_block("b", "two", true);
    const std::string note = text_block("<background-results>");
    const std::vector<std::string> both{a, b};
    const auto put = add_to_last_tool_result(content_of(both), note);
    REQUIRE(put.has_value());
    CHECK(*put ==
        "[" + a +
            R"(,{"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"two"},)" +
            note + R"(],"is_error":true}])");

    CHECK(*add_to_last_tool_result(
              R"([{"type":"tool_result","tool_use_id":"a","content":"x\u00e9"}])", note) ==
        R"([{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"x\u00e9"},)" +
            note + "]}]");
    CHECK(*add_to_last_tool_result(R"([{"type":"tool_result","tool_use_id":"a"}])", note) ==
        R"([{"type":"tool_result","tool_use_id":"a","content":[)" + note + "]}]");
    CHECK(
        *add_to_last_tool_result(
            R"([{"type":"tool_result","tool_use_id":"a","content":[]},{"type":"text","text":"u"}])",
            note) ==
        R"([{"type":"tool_result","tool_use_id":"a","content":[)" + note +
            R"(]},{"type":"text","text":"u"}])");
    CHECK(add_to_last_tool_result(R"([{"type":"text","text":"u"}])", note)
            .error()
            .is(errc::bad_history));
    CHECK(add_to_last_tool_result("not json", note).error().is(errc::bad_history));
    CHECK(has_tool_result(content_of(both)));
    CHECK_FALSE(has_tool_result(R"([{"type":"text","text":"tool_result"}])"));
}

TEST_CASE("encode: what a message asks for and says can be read back")
{
    const std::string content =
        R"([{"type":"text","text":"a"},{"type":"tool_use","id":"t1","name":"bash","input":{}},)"
        R"({"type":"text","text":"b"},{"type":"tool_use","id":"t2","name":"bash","input":{}}])";
    CHECK(tool_use_ids(content).value() == std::vector<std::string>{"t1", "t2"});
    CHECK(text_of(content).value() == "a\n\nb");
    CHECK(text_of("{}").error().is(errc::bad_history));
}

TEST_CASE("encode: a request is its parts in order, unchanged but for the marks")
{
    const std::string system = R"([{"type":"text","text":"S"}])";
    const std::string tools =
        R"([{"name":"bash","description":"d","input_schema":{"type":"object"}}])";
    CHECK(body({user("hi")}, system, tools) ==
        R"({"model":"m","max_tokens":10,"stream":true,"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral"}}],)"
        R"("tools":)" +
            tools +
            R"(,"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]})");
}

TEST_CASE("encode: long parts are sent from where they are, not copied")
{
    const std::string message = user(std::string(100'000, 'x'));
    const body_parts parts{
        .model = "m", .max_tokens = 1, .system = {}, .tools = {}, .messages = {message}};
    request_body made{parts};
    const request_body moved{std::move(made)};
    bool found = false;
    for (const auto slice : moved.slices())
        found = found || (slice.data() == message.data() && slice.size() == message.size() - 3);
    CHECK(found);
}

TEST_CASE("case 75 no_sampling_params: a body has no temperature, top_p or top_k")
{
    const std::string made = body({user("hi")});
    CHECK(made.find("temperature") == std::string::npos);
    CHECK(made.find("top_") == std::string::npos);
    CHECK(made.find("\"system\"") == std::string::npos);
    CHECK(made.find("\"tools\"") == std::string::npos);
}

TEST_CASE("case 82 append_only: a longer history begins with the bytes of the shorter, marks aside")
{
    std::vector<std::string> history;
    std::string before;
    for (int turn = 0; turn < 20; ++turn) {
        history.push_back(user("turn " + std::to_string(turn)));
        std::string now = body(history, R"([{"type":"text","text":"S"}])");
        const std::string mark = R"(,"cache_control":{"type":"ephemeral"})";
        for (auto at = now.find(mark); at != std::string::npos; at = now.find(mark))
            now.erase(at, mark.size());
        CHECK(now.starts_with(before));
        before = now.substr(0, now.size() - 2); // up to the end of `messages`
        history.push_back(assistant_message(R"([{"type":"text","text":"ok"}])"));
    }
}

TEST_CASE(
    "case 84 cache_breakpoints: three marks at most, on system and the last two of the user's")
{
    const std::string system = R"([{"type":"text","text":"S"}])";
    std::vector<std::string> history{
        user("a"), assistant_message(R"([{"type":"thinking","thinking":"","signature":"s"}])")};
    // A continued pause_turn: the mark goes to the user's message before it.
    std::string made = body(history, system);
    CHECK(marks(made) == 2);
    CHECK(made.find(R"("signature":"s"}]}]})") != std::string::npos);
    history.push_back(R"({"role":"user","content":[{"type":"text","text":""}]})");
    made = body(history, system);
    CHECK(marks(made) == 2); // none on an empty text
    CHECK(made.find(R"("text":"a","cache_control")") != std::string::npos);
    history.back() = R"({"role":"user","content":[]})";
    CHECK(marks(body(history, system)) == 2);
    history.back() = user("b");
    CHECK(marks(body(history, system)) == 3);
    history.push_back(assistant_message(R"([{"type":"text","text":"c"}])"));
    history.push_back(user("d"));
    made = body(history, system);
    CHECK(marks(made) == 3);
    CHECK(made.find(R"("text":"a","cache_control")") == std::string::npos);
    CHECK(marks(body({user("x")}, R"([{"type":"text","text":""}])")) == 1);
}
