#include "base/limits.hpp"
#include "proto/api/parse.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace agentd;
using proto::api::errc;
using proto::api::field_named_in;
using proto::api::parse_message;
using proto::api::parse_submit;

namespace {

struct bad_body {
    std::string body;
    errc code;
    std::string field; // that the text must name
};

std::string with(std::string_view member)
{
    return fmt::format(R"({{"prompt":"p",{}}})", member);
}

std::string many(std::string_view field, std::size_t count)
{
    std::string all;
    for (std::size_t i = 0; i < count; ++i)
        all += fmt::format(R"({}"k{}":"v")", i == 0 ? "" : ",", i);
    return with(fmt::format(R"("{}":{{{}}})", field, all));
}

void check_refused(const bad_body& row)
{
    CAPTURE(row.body.substr(0, 200));
    const auto got = parse_submit(row.body);
    REQUIRE_FALSE(got);
    CAPTURE(got.error().text);
    CHECK(got.error().is(row.code));
    CHECK(field_named_in(got.error().text) == row.field);
}

} // namespace

TEST_CASE("parse_submit: every field arrives")
{
    const auto got = parse_submit(R"({"prompt":"build it","workdir":"/src","system":"be brief",
        "model":"m-1","env":{"CI":"1","_x9":""},"max_turns":7,"timeout_s":0,"budget_usd":0.5,
        "max_tokens_total":1000,"jobs_at_end":"detach","priority":-100,
        "labels":{"a.b-c_9":"v","empty":""}})");
    REQUIRE(got);
    CHECK(got->prompt == "build it");
    CHECK(got->workdir == "/src");
    CHECK(got->system == "be brief");
    CHECK(got->model == "m-1");
    CHECK(got->env == std::map<std::string, std::string>{{"CI", "1"}, {"_x9", ""}});
    CHECK(got->max_turns == 7);
    CHECK(got->timeout_s == 0);
    CHECK(got->budget_usd == 0.5);
    CHECK(got->max_tokens_total == 1000);
    CHECK(got->jobs_at_end == proto::api::jobs_at_end::detach);
    CHECK(got->priority == -100);
    CHECK(got->labels == proto::api::labels{{"a.b-c_9", "v"}, {"empty", ""}});
}

TEST_CASE("parse_submit: absent and null fields are the defaults")
{
    for (const std::string body : {R"({"prompt":"p"})",
             R"({"prompt":"p","session_id":null,"workdir":null,"env":null,"labels":null,
                 "priority":null,"jobs_at_end":null,"timeout_s":null})"}) {
        const auto got = parse_submit(body);
        REQUIRE(got);
        CHECK_FALSE(got->session_id);
        CHECK_FALSE(got->workdir);
        CHECK_FALSE(got->max_turns);
        CHECK(got->env.empty());
        CHECK(got->jobs_at_end == proto::api::jobs_at_end::wait);
        CHECK(got->priority == 0);
    }
}

TEST_CASE("parse_submit: a session id or its first characters")
{
    CHECK(parse_submit(with(R"("session_id":"s_abcdefgh27")")));
    CHECK(parse_submit(with(R"("session_id":"s_ab")")));
}

TEST_CASE("parse_submit: what is no JSON object is malformed")
{
    for (const std::string body :
        {"", "{", "[]", "null", "\"x\"", "{\"prompt\":\"p\"} x", "{'a':1}", "{\"prompt\":\"\xff\"}",
            "{\"prompt\":\"p\",\"prompt\":\"q\"}", "{\"prompt\":NaN}"}) {
        CAPTURE(body);
        const auto got = parse_submit(body);
        REQUIRE_FALSE(got);
        CHECK(got.error().is(errc::malformed));
    }
    const auto deep = parse_submit(std::string(100'000, '['));
    REQUIRE_FALSE(deep);
    CHECK(deep.error().is(errc::malformed));
}

TEST_CASE("parse_submit: each field wrong in turn is named")
{
    const bad_body rows[] = {
        {"{}", errc::invalid_field, "prompt"},
        {R"({"prompt":null})", errc::invalid_field, "prompt"},
        {R"({"prompt":7})", errc::invalid_field, "prompt"},
        {R"({"prompt":""})", errc::invalid_field, "prompt"},
        {R"({"prompt":" \n\t"})", errc::invalid_field, "prompt"},
        {with(R"("promt":"x")"), errc::invalid_field, "promt"},
        {with(R"("session_id":"t_abcdefghij")"), errc::invalid_field, "session_id"},
        {with(R"("session_id":"s_a")"), errc::invalid_field, "session_id"},
        {with(R"("session_id":"s_ABCDEFGHIJ")"), errc::invalid_field, "session_id"},
        {with(R"("session_id":"s_abcdefghijk")"), errc::invalid_field, "session_id"},
        {with(R"("session_id":["s_abcdefghij"])"), errc::invalid_field, "session_id"},
        {with(R"("session_id":"s_abcdefghij","workdir":"/")"), errc::invalid_field, "workdir"},
        {with(R"("session_id":"s_abcdefghij","system":"x")"), errc::invalid_field, "system"},
        {with(R"("workdir":"relative")"), errc::invalid_field, "workdir"},
        {with(R"("workdir":"")"), errc::invalid_field, "workdir"},
        {with(R"("workdir":"/a\u0000b")"), errc::invalid_field, "workdir"},
        {with(R"("workdir":1)"), errc::invalid_field, "workdir"},
        {with(R"("system":"")"), errc::invalid_field, "system"},
        {with(R"("system":{})"), errc::invalid_field, "system"},
        {with(R"("model":"")"), errc::invalid_field, "model"},
        {with(R"("model":true)"), errc::invalid_field, "model"},
        {with(R"("env":[])"), errc::invalid_field, "env"},
        {with(R"("env":{"A":1})"), errc::invalid_field, "env.A"},
        {with(R"("env":{"1A":"x"})"), errc::invalid_field, "env.1A"},
        {with(R"("env":{"A=B":"x"})"), errc::invalid_field, "env.A=B"},
        {with(R"("env":{"":"x"})"), errc::invalid_field, "env."},
        {with(R"("env":{"A":"x\u0000y"})"), errc::invalid_field, "env.A"},
        {with(R"("env":{"AGENTD_SOCKET":"x"})"), errc::invalid_field, "env.AGENTD_SOCKET"},
        {with(R"("env":{"ANTHROPIC_API_KEY":"x"})"), errc::invalid_field, "env.ANTHROPIC_API_KEY"},
        {many("env", limits::task_env + 1), errc::invalid_field, "env"},
        {with(R"("max_turns":0)"), errc::invalid_field, "max_turns"},
        {with(R"("max_turns":1.5)"), errc::invalid_field, "max_turns"},
        {with(R"("max_turns":"7")"), errc::invalid_field, "max_turns"},
        {with(R"("timeout_s":-1)"), errc::invalid_field, "timeout_s"},
        {with(R"("timeout_s":1e30)"), errc::invalid_field, "timeout_s"},
        {with(R"("budget_usd":-0.1)"), errc::invalid_field, "budget_usd"},
        {with(R"("budget_usd":1e400)"), errc::invalid_field, "budget_usd"},
        {with(R"("max_tokens_total":0)"), errc::invalid_field, "max_tokens_total"},
        {with(R"("max_tokens_total":18446744073709551616)"), errc::invalid_field,
            "max_tokens_total"},
        {with(R"("jobs_at_end":"later")"), errc::invalid_field, "jobs_at_end"},
        {with(R"("jobs_at_end":1)"), errc::invalid_field, "jobs_at_end"},
        {with(R"("priority":101)"), errc::invalid_field, "priority"},
        {with(R"("priority":-101)"), errc::invalid_field, "priority"},
        {with(R"("labels":{"A":"x"})"), errc::invalid_field, "labels.A"},
        {with(R"("labels":{"":"x"})"), errc::invalid_field, "labels."},
        {with(R"("labels":{"a":null})"), errc::invalid_field, "labels.a"},
        {many("labels", limits::labels + 1), errc::invalid_field, "labels"},
    };
    for (const auto& row : rows)
        check_refused(row);
}

TEST_CASE("parse_submit: bounds of bytes hold exactly")
{
    const auto prompt = [](std::size_t n) {
        return fmt::format(R"({{"prompt":"{}"}})", std::string(n, 'x'));
    };
    CHECK(parse_submit(prompt(limits::prompt_bytes)));
    check_refused({prompt(limits::prompt_bytes + 1), errc::too_large, "prompt"});
    const auto label = [](std::size_t key, std::size_t value) {
        return with(fmt::format(
            R"("labels":{{"{}":"{}"}})", std::string(key, 'k'), std::string(value, 'v')));
    };
    CHECK(parse_submit(label(63, limits::label_value_bytes)));
    check_refused({label(64, 1), errc::invalid_field, "labels." + std::string(64, 'k')});
    check_refused({label(1, limits::label_value_bytes + 1), errc::invalid_field, "labels.k"});
    const auto env = [](std::size_t value) {
        return with(fmt::format(R"("env":{{"A":"{}"}})", std::string(value, 'v')));
    };
    CHECK(parse_submit(env(limits::env_value_bytes)));
    check_refused({env(limits::env_value_bytes + 1), errc::invalid_field, "env.A"});
}

TEST_CASE("parse_message: one text and nothing else")
{
    const auto got = parse_message(R"({"text":"stop that"})");
    REQUIRE(got);
    CHECK(*got == "stop that");
    for (const std::string body :
        {"{}", R"({"text":""})", R"({"text":1})", R"({"text":"a","x":1})"}) {
        const auto refused = parse_message(body);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().is(errc::invalid_field));
    }
    const auto large = parse_message(
        fmt::format(R"({{"text":"{}"}})", std::string(limits::prompt_bytes + 1, 'x')));
    REQUIRE_FALSE(large);
    CHECK(large.error().is(errc::too_large));
}
