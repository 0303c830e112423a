// A tool's input as it may arrive over a real socket: whole, in pieces, missing, cut, broken.
// Only `complete` may ever be run; what comes of the rest is told in tests/system.
#include "tests/daemon/model/asked.hpp"

#include <doctest/doctest.h>

using namespace agentd::testing;
using namespace agentd;

namespace {

using model::input_state;

const std::string plain = R"({"type":"tool_use","id":"t","name":"bash","input":{}})";

// The one call of a stream.
model::block call(const std::string& start, const std::vector<std::string>& pieces,
    std::string_view stop_reason = "tool_use")
{
    std::vector<std::string> events{block_start(0, start)};
    for (const auto& piece : pieces)
        events.push_back(input_delta(0, piece));
    events.push_back(block_stop(0));
    const byte_server server{{once(streamed(stream_of(events, stop_reason)))}};
    auto got = ask(options_for(server));
    REQUIRE_MESSAGE(got.outcome.has_value(), got.message());
    REQUIRE(got.outcome->content.size() == 1);
    CHECK(got.outcome->content[0].kind == model::block_kind::tool_use);
    CHECK(got.outcome->content[0].tool_id == "t");
    CHECK(got.outcome->content[0].tool_name == "bash");
    return std::move(got.outcome->content[0]);
}

std::string echo(std::string_view input)
{
    return R"({"type":"tool_use","id":"t","name":"bash","input":)" + std::string{input} + "}";
}

void check_complete(const model::block& made, std::string_view input)
{
    CHECK(made.input_is == input_state::complete);
    CHECK(made.input == input);
    CHECK(made.raw == echo(input));
}

// Never repaired: told as it came, echoed in a wrapper that is an object.
void check_broken(
    const model::block& made, input_state state, std::string_view came, std::string_view wrapped)
{
    CHECK(made.input_is == state);
    CHECK(made.input == came);
    CHECK(made.raw == echo(wrapped));
}

} // namespace

TEST_CASE("case 19 tool_no_delta: start and stop alone mean {}")
{
    check_complete(call(plain, {}), "{}");
}

TEST_CASE("case 20 tool_empty_delta: one empty piece means {}")
{
    check_complete(call(plain, {""}), "{}");
}

TEST_CASE("case 21 tool_split_escape: cut inside an escape and inside a number, parsed once")
{
    check_complete(
        call(plain, {R"({"s":"\)", R"(u00)", R"(e9","n":1)", R"(2})"}), R"({"s":"\u00e9","n":12})");
}

TEST_CASE("case 23 tool_truncated_tool_use: cut off, whatever stop_reason says")
{
    check_broken(call(plain, {R"({"a":"x","b":"rm -rf /tm)"}), input_state::cut_off,
        R"({"a":"x","b":"rm -rf /tm)", R"({"INVALID_JSON":"{\"a\":\"x\",\"b\":\"rm -rf /tm"})");
}

TEST_CASE("case 24 tool_invalid_json: {\"a\": foo} is no input")
{
    check_broken(call(plain, {"{\"a\": foo}"}), input_state::invalid, "{\"a\": foo}",
        R"({"INVALID_JSON":"{\"a\": foo}"})");
}

TEST_CASE("case 25 tool_input_not_object: an array, a string and null are none")
{
    check_broken(call(plain, {"[1]"}), input_state::invalid, "[1]", R"({"INVALID_JSON":"[1]"})");
    check_broken(
        call(plain, {"\"x\""}), input_state::invalid, "\"x\"", R"({"INVALID_JSON":"\"x\""})");
    check_broken(call(plain, {"null"}), input_state::invalid, "null", R"({"INVALID_JSON":"null"})");
}

TEST_CASE("case 26 tool_start_without_input: {} without pieces, else what came")
{
    const std::string without = R"({"type":"tool_use","id":"t","name":"bash"})";
    check_complete(call(without, {}), "{}");
    check_complete(call(without, {R"({"command":"ls"})"}), R"({"command":"ls"})");
}

TEST_CASE("case 27 tool_input_in_start: an input that came with the start is it")
{
    const std::string filled = echo(R"({"command": "ls", "n":1.0})");
    check_complete(call(filled, {}), R"({"command": "ls", "n":1.0})");
    check_complete(call(filled, {""}), R"({"command": "ls", "n":1.0})");
}

TEST_CASE("case 28 parallel_tools: two calls come out in their order")
{
    const byte_server server{{once(streamed(
        stream_of({tool_start(0, "a", "bash"), input_delta(0, R"({"x":1})"), block_stop(0),
                      tool_start(1, "b", "read_file"), input_delta(1, R"({"y":2})"), block_stop(1)},
            "tool_use")))}};
    const auto got = ask(options_for(server));
    REQUIRE(got.outcome.has_value());
    REQUIRE(got.outcome->content.size() == 2);
    CHECK(got.outcome->content[0].tool_id == "a");
    CHECK(got.outcome->content[0].input == R"({"x":1})");
    CHECK(got.outcome->content[1].tool_id == "b");
    CHECK(got.outcome->content[1].input == R"({"y":2})");
}

TEST_CASE("case 83 raw_number_echo: numbers keep their spelling, also beyond 64 bits")
{
    check_complete(call(plain, {R"({"n":1.0,"big":1234567890)", "1234567890}"}),
        R"({"n":1.0,"big":12345678901234567890})");
    check_complete(call(plain, {R"({"big":123456789012345678901234567890,"e":1E+02})"}),
        R"({"big":123456789012345678901234567890,"e":1E+02})");
}
