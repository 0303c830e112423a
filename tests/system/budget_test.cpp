// What a task costs, as the API tells it: tokens and dollars of each turn, task and session,
// and the budgets that end a task.
#include "tests/system/evidence.hpp"
#include "tests/system/window.hpp"

#include <doctest/doctest.h>

#include <csignal>

using namespace agentd::testing;

namespace {

// 0.1 USD for a token of input, 1 for one of output: figures that can be read off.
constexpr const char* prices = "[model.price.\"claude-opus-5-5\"]\n"
                               "input = 1e5\noutput = 1e6\ncache_read = 1e4\ncache_write = 2e5\n"
                               "[model.price.\"claude-sonnet-5-5\"]\n"
                               "input = 5e4\noutput = 5e4\ncache_read = 0\ncache_write = 0\n";

js::object using_up(std::int64_t input, std::int64_t output, std::int64_t read = 0,
    std::int64_t write = 0, js::object more = {})
{
    auto* reply = more.if_contains("reply");
    auto& members = reply != nullptr ? reply->as_object() : more["reply"].emplace_object();
    members["usage"] = {{"input_tokens", input}, {"output_tokens", output},
        {"cache_read_input_tokens", read}, {"cache_creation_input_tokens", write}};
    return more;
}

std::string usage_of(const js::value& of)
{
    const auto& used = of.at("usage");
    return js::serialize(used.at("input")) + " " + js::serialize(used.at("output")) + " " +
        js::serialize(used.at("cache_read")) + " " + js::serialize(used.at("cache_write"));
}

double cost_of(const js::value& of)
{
    return of.at("cost_usd").to_number<double>();
}

js::value session_object(world& w, const std::string& task)
{
    return w.json(200, "GET", "/v1/sessions/" + session_of(w, task));
}

} // namespace

TEST_CASE("costs: of each turn, of the task and of the session, in all four kinds of tokens")
{
    world w{{.scenario = scenario({conversation("count",
                 {step({bash("true")}, using_up(100, 20, 3000, 400)),
                     step({say("One.")}, using_up(7, 5, 3400, 0)),
                     step({say("Two.")}, using_up(1, 2, 3, 4))})}),
        .config = prices}};
    const auto first = w.submit("count this");
    const auto one = w.ended(first);
    CHECK(usage_of(one) == "107 25 6400 400");
    CHECK(cost_of(one) == doctest::Approx(10.7 + 25 + 64 + 80));
    const auto turns = w.events("&types=turn.finished&task_id=" + first);
    REQUIRE(turns.size() == 2);
    CHECK(usage_of(turns[0]) == "100 20 3000 400");
    CHECK(cost_of(turns[0]) == doctest::Approx(10 + 20 + 30 + 80));
    CHECK(usage_of(turns[1]) == "7 5 3400 0");
    const auto finished = w.events("&types=task.finished&task_id=" + first);
    REQUIRE(finished.size() == 1);
    CHECK(usage_of(finished[0]) == usage_of(one));
    CHECK(cost_of(finished[0]) == doctest::Approx(cost_of(one)));

    const auto second = w.submit("and this", {{"session_id", session_of(w, first)}});
    CHECK(usage_of(w.ended(second)) == "1 2 3 4");
    CHECK(usage_of(session_object(w, first)) == "108 27 6403 404");
    CHECK(cost_of(session_object(w, first)) == doctest::Approx(179.7 + 0.1 + 2 + 0.03 + 0.8));
    static_cast<void>(w.stop_daemon(SIGKILL)); // each figure is committed with its reply
    w.start_daemon();
    CHECK(w.task(first) == one);
    CHECK(usage_of(session_object(w, first)) == "108 27 6403 404");
    w.check_model_content();
}

TEST_CASE("costs: counters in message_delta replace those of message_start, absent ones stay")
{
    const auto event = [](std::string_view name, js::object data) {
        data["type"] = name;
        return js::value{{"event", name}, {"data", std::move(data)}};
    };
    const js::object message{{"id", "msg_1"}, {"type", "message"}, {"role", "assistant"},
        {"model", "claude-opus-5-5"}, {"content", js::array{}}, {"stop_reason", nullptr},
        {"usage",
            {{"input_tokens", 472}, {"output_tokens", 2}, {"cache_read_input_tokens", 30},
                {"cache_creation_input_tokens", 5}}}};
    const js::array events{event("message_start", {{"message", message}}),
        event("content_block_start",
            {{"index", 0}, {"content_block", {{"type", "text"}, {"text", ""}}}}),
        event("content_block_delta",
            {{"index", 0}, {"delta", {{"type", "text_delta"}, {"text", "Counted."}}}}),
        event("content_block_stop", {{"index", 0}}),
        event("message_delta",
            {{"delta", {{"stop_reason", nullptr}}}, {"usage", {{"output_tokens", 9}}}}),
        event("message_delta",
            {{"delta", {{"stop_reason", "end_turn"}}},
                {"usage",
                    {{"output_tokens", 11}, {"input_tokens", 500},
                        {"cache_read_input_tokens", nullptr}}}}),
        event("message_stop", {})};
    world w{{.scenario =
                 scenario({conversation("count", {js::value{{"reply", {{"events", events}}}}})}),
        .config = prices}};
    const auto end = w.ended(w.submit("count this"));
    CHECK(end.at("result") == "Counted.");
    CHECK(usage_of(end) == "500 11 30 5");
}

TEST_CASE("costs: a fallback by its own price, and the refusal that it stands in for as well")
{
    world w{
        {.scenario = scenario({conversation("count",
             {step({say("No")}, using_up(10, 1, 0, 0, {{"reply", {{"stop_reason", "refusal"}}}})),
                 step({say("Well.")}, using_up(12, 4))})}),
            .config = prices,
            .model_config = "fallback = [\"claude-sonnet-5-5\"]\n"}};
    const auto task = w.submit("count this");
    const auto end = w.ended(task);
    CHECK(end.at("result") == "Well.");
    CHECK(usage_of(end) == "22 5 0 0");
    CHECK(cost_of(end) == doctest::Approx(1 + 1 + 0.6 + 0.2));
    CHECK(cost_of(session_object(w, task)) == doctest::Approx(2.8));
    const auto turns = w.events("&types=turn.finished&task_id=" + task);
    REQUIRE(turns.size() == 1);
    CHECK(turns[0].at("model") == "claude-sonnet-5-5");
    CHECK(usage_of(turns[0]) == "22 5 0 0");
    CHECK(cost_of(turns[0]) == doctest::Approx(2.8));
    const auto changes = w.events("&types=model.fallback&task_id=" + task);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].at("to") == "claude-sonnet-5-5");
    CHECK(changes[0].at("reason") == "refusal");
}

TEST_CASE("costs: a refusal that ends the task is paid for, and so is one without a successor")
{
    world w{
        {.scenario = scenario({conversation("refuse",
                                   {step({say("No")},
                                       using_up(10, 1, 0, 0,
                                           {{"reply", {{"stop_reason", "refusal"}}}}))}),
             conversation("both",
                 {step({say("No")},
                      using_up(10, 1, 0, 0, {{"reply", {{"stop_reason", "refusal"}}}})),
                     js::value{{"reply",
                         {{"status", 403},
                             {"error",
                                 {{"type", "permission_error"}, {"message", "not yours"}}}}}}})}),
            .config = prices,
            .model_config = "fallback = [\"claude-sonnet-5-5\"]\n"}};
    const auto both = w.ended(w.submit("both of them"));
    CHECK(error_of(both) == "model_error");
    CHECK(usage_of(both) == "10 1 0 0");
    CHECK(cost_of(both) == doctest::Approx(2));
    CHECK(usage_of(session_object(w, std::string{both.at("id").as_string()})) == "10 1 0 0");

    world alone{{.scenario = scenario({conversation("refuse",
                     {step({say("No")},
                         using_up(10, 1, 0, 0, {{"reply", {{"stop_reason", "refusal"}}}}))})}),
        .config = prices}};
    const auto end = alone.ended(alone.submit("refuse this"));
    CHECK(error_of(end) == "refusal");
    CHECK(usage_of(end) == "10 1 0 0");
    CHECK(cost_of(end) == doctest::Approx(2));
}

TEST_CASE("budget: reached to the token in the middle of a loop, its calls are not run")
{
    world w{{.scenario = scenario({conversation("spend",
                 {step({background("sleep 300")}, using_up(40, 10)),
                     step({bash("echo ran >> ran")}, using_up(30, 15, 4, 1)),
                     step({say("Next done.")},
                         {{"expect",
                             {{"contains_in_order",
                                 js::array{"not run: 100 tokens are used of max_tokens_total 100",
                                     "<background-results>", "failed: budget; do not go on with it",
                                     "next"}}}}})})})}};
    const auto task = w.submit("spend it", {{"max_tokens_total", 100}});
    const auto end = w.ended(task);
    CHECK(error_of(end) == "budget");
    CHECK(
        end.at("error").at("message").as_string() == "100 tokens are used of max_tokens_total 100");
    CHECK(read_file(w.workspace() + "/ran").empty());
    for (const auto& job : jobs_in(w, session_of(w, task)))
        CHECK(state_of(job) == "killed");
    const auto next = w.submit("next", {{"session_id", session_of(w, task)}});
    CHECK(w.ended(next).at("result") == "Next done.");
    w.check_model_content();
}

TEST_CASE("budget: one token below it the loop goes on; a last reply may reach it")
{
    world w{
        {.scenario = scenario({conversation("spend",
             {step({bash("true")}, using_up(89, 10)), step({say("Done.")}, using_up(1, 1))})})}};
    const auto end = w.ended(w.submit("spend it", {{"max_tokens_total", 100}}));
    CHECK(end.at("result") == "Done.");
    CHECK(state_of(end) == "succeeded"); // the answer is there
    w.check_model_content();
}

TEST_CASE("budget: in dollars of the task, and of the session over its tasks")
{
    world w{
        {.scenario = scenario(
             {conversation("spend",
                  {step({bash("true")}, using_up(8, 0)), step({bash("true")}, using_up(2, 0))}),
                 conversation("share",
                     {step({say("One.")}, using_up(20, 0)),
                         step({bash("echo ran >> ran")}, using_up(10, 0)), step({say("never")})})}),
            .config = std::string{"limits.session_budget_usd = 3\n"} + prices}};
    const auto spent = w.ended(w.submit("spend it", {{"budget_usd", 1}}));
    CHECK(error_of(spent) == "budget");
    CHECK(cost_of(spent) == doctest::Approx(1));
    const auto first = w.submit("share it");
    CHECK(state_of(w.ended(first)) == "succeeded");
    const js::object more{{"session_id", session_of(w, first)}};
    const auto second = w.ended(w.submit("and more", more));
    CHECK(error_of(second) == "budget");
    CHECK(second.at("error").at("message").as_string() ==
        "the session has spent 3.0000 USD of limits.session_budget_usd 3.0000");
    CHECK(read_file(w.workspace() + "/ran").empty());
    // Nothing is asked any more in a session that has spent all.
    const auto asked = w.requests().size();
    CHECK(error_of(w.ended(w.submit("and more", more))) == "budget");
    CHECK(w.requests().size() == asked);
    w.check_model_content();
}

TEST_CASE("budget: of tokens for a session; what is spent stays spent over a restart")
{
    world w{
        {.scenario = scenario({interrupted("share",
             {step({say("One.")}, using_up(50, 10, 20, 5)), step({bash("true")}, using_up(10, 4)),
                 step({say("never")}, {{"reply", {{"hold", "ever"}}}}),
                 step({bash("true")}, using_up(1, 0))})}),
            .config = "limits.session_tokens = 100\n"}};
    const auto first = w.submit("share it");
    CHECK(state_of(w.ended(first)) == "succeeded");
    const auto second = w.submit("and more", {{"session_id", session_of(w, first)}});
    w.await_model("held=ever");
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    w.start_daemon();
    const auto end = w.ended(second);
    CHECK(error_of(end) == "budget");
    CHECK(end.at("error").at("message").as_string() ==
        "the session has used 100 tokens of limits.session_tokens 100");
    CHECK(usage_of(end) == "11 4 0 0");
    w.check_model_content();
}

TEST_CASE("budget: a session's is in force from the next reload on, and it says so")
{
    world w{{.scenario = scenario({conversation("hello",
                 {step({say("One.")}, using_up(50, 10)), step({say("Two.")}, using_up(60, 10))})}),
        .config = "[limits]\nsession_tokens = 0\n"}};
    const auto first = w.ended(w.submit("hello"));
    CHECK(first.at("state") == "succeeded");
    const auto file = w.folder() + "/agentd.toml";
    auto text = read_file(file);
    text.replace(text.find("session_tokens = 0"), 18, "session_tokens = 9");
    write_file(file, text);
    REQUIRE(::kill(w.daemon().pid(), SIGHUP) == 0);
    const auto told = w.await_event("daemon.reloaded");
    CHECK(told.at("ok") == true);
    CHECK(told.find("needs_restart") == told.end());
    const auto next = w.ended(w.submit("again", {{"session_id", first.at("session_id")}}));
    CHECK(next.at("error").at("type") == "budget");
}
