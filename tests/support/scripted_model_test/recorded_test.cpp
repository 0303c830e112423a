// Requests recorded elsewhere are judged like those that come to the server itself.
#include "tests/support/scripted_model/recorded.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <string_view>

using namespace agentd::testing;
namespace json = boost::json;

namespace {

constexpr std::string_view first_message = R"([{"role":"user","content":"a"}])";
constexpr std::string_view call =
    R"({"content":[{"type":"tool_use","id":"t","name":"n","input":{"x":1},"input_raw":"{\"x\":1.0}"}],)"
    R"("stop_reason":"tool_use"})";
constexpr std::string_view answered =
    R"([{"role":"user","content":"a"},)"
    R"({"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{"x":1.0}}]},)"
    R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"ok"}]}])";

std::string line(std::string_view messages, std::string_view reply, std::string_view talk = "c")
{
    std::string body = R"({"model":"m","max_tokens":10,"stream":true,"messages":)";
    body.append(messages).append("}");
    const json::object record{{"conversation", talk}, {"body", body},
        {"reply", json::parse({reply.data(), reply.size()})}};
    return json::serialize(record) + "\n";
}

std::string found(const std::string& lines, std::size_t requests)
{
    std::istringstream in{lines};
    const auto verdict = judge_recorded(in);
    CHECK(verdict.requests == requests);
    std::string all;
    for (const auto& finding : verdict.findings)
        all += finding + "\n";
    return all;
}

std::string replaced(std::string_view text, std::string_view old, std::string_view fresh)
{
    std::string out{text};
    out.replace(out.find(old), old.size(), fresh);
    return out;
}

} // namespace

TEST_CASE("recorded: a history that grows as it should has no finding")
{
    CHECK(found(
        line(first_message, "null") + line(first_message, call) + line(answered, "\"unknown\""), 3)
            .empty());
}

TEST_CASE("recorded: a broken body is found and named")
{
    const auto wrong = replaced(answered, "tool_result", "tool_reslut");
    const auto findings = found(line(first_message, call) + line(wrong, "null"), 2);
    CHECK(findings.find("c request 2: ") == 0);
    CHECK(findings.find("tool_reslut") != std::string::npos);
}

TEST_CASE("recorded: a changed number of an echoed input is found")
{
    const auto wrong = replaced(answered, "1.0", "1");
    CHECK(found(line(first_message, call) + line(wrong, "null"), 2).find(".input") !=
        std::string::npos);
}

TEST_CASE("recorded: an assistant message after a reply that never ended is found")
{
    CHECK(found(line(first_message, "null") + line(answered, "null"), 2).find("never replied") !=
        std::string::npos);
}

TEST_CASE("recorded: conversations do not mix")
{
    const auto other = replaced(first_message, "\"a\"", "\"b\"");
    CHECK(
        found(line(first_message, call, "c") + line(other, "null", "d") + line(answered, "null"), 3)
            .empty());
}

TEST_CASE("recorded: what is no record is a finding, not silence")
{
    CHECK(found("no json\n", 1) == "line 1: no record\n");
    CHECK(found(line(first_message, "17"), 1) == "line 1: no record\n");
}
