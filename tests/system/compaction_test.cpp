// Long conversations end to end: when the window is full a summary takes the place of what was
// said, nothing of it is lost to those who read the history, and nothing is told twice.
#include "tests/system/evidence.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <algorithm>
#include <csignal>

using namespace agentd::testing;

namespace {

constexpr std::string_view wish = "about to exceed the model's context window";
constexpr std::string_view record = "[agentd: what follows is the record of a conversation";
// A reply that counts so many tokens of input leaves no room in this window.
constexpr std::int64_t full = 5700;
constexpr const char* small_window = "context_window = 8000\ncompact_at = 0.7\nmax_tokens = 500\n";

js::object counting(std::int64_t input, js::object more = {})
{
    auto* reply = more.if_contains("reply");
    auto& members = reply != nullptr ? reply->as_object() : more["reply"].emplace_object();
    members["usage"] = {{"input_tokens", input}, {"output_tokens", 10}};
    return more;
}

js::object holding(std::string_view name, js::object more = {})
{
    auto* reply = more.if_contains("reply");
    auto& members = reply != nullptr ? reply->as_object() : more["reply"].emplace_object();
    members["hold"] = name;
    return more;
}

js::object ending_with(std::string_view stop_reason, js::object more = {})
{
    auto* reply = more.if_contains("reply");
    auto& members = reply != nullptr ? reply->as_object() : more["reply"].emplace_object();
    members["stop_reason"] = stop_reason;
    return more;
}

js::value bash(std::string_view command)
{
    return use("bash", {{"command", command}});
}

js::value refused_as(int status, std::string_view message)
{
    return {{"reply",
        {{"status", status},
            {"error", {{"type", "invalid_request_error"}, {"message", message}}}}}};
}

js::object last_event(world& w, const std::string& type)
{
    const auto all = w.events("&types=" + type);
    REQUIRE(!all.empty());
    return all.back();
}

std::size_t count_type(world& w, const std::string& type)
{
    return w.events("&types=" + type).size();
}

std::int64_t epoch_of(world& w, const std::string& task)
{
    return w.json(200, "GET", "/v1/sessions/" + session_of(w, task)).at("epoch").as_int64();
}

std::string error_of(const js::object& task)
{
    return task.at("error").is_object() ? std::string{task.at("error").at("type").as_string()}
                                        : std::string{};
}

// Two conversations: up to the wish for a summary, and after it.
std::string long_haul(std::vector<js::value> before, std::vector<js::value> after)
{
    return scenario({conversation("SUMMARY", std::move(after), {{"key", "phase-two"}}),
        conversation("long haul", std::move(before), {{"key", "phase-one"}})});
}

} // namespace

TEST_CASE("compaction: a full window is replaced by a summary, and the work goes on to its end")
{
    world w{
        {.scenario = long_haul({step({background("read l < gate; echo late")}),
                                   step({bash("echo one")}, counting(full)),
                                   step({say("SUMMARY: one was echoed.")},
                                       holding("summary", counting(5800, expects({"one", wish}))))},
             {step({say("I wait.")},
                  counting(3000,
                      {{"expect",
                          {{"contains_in_order",
                               js::array{"SUMMARY: one was echoed.", "running: read l < gate",
                                   "word for word", "long haul, to the end"}},
                              {"not_contains", wish}, {"message_count", 1}}}})),
                 step({say("Done.")}, expects({"[bg:", "| late"}))}),
            .model_config = small_window}};
    ::mkfifo((w.workspace() + "/gate").c_str(), 0600);
    const auto task = w.submit("long haul, to the end");
    w.await_model("held=summary");
    shot follower{w, "GET", "/v1/events?follow=1&after=0&task_id=" + task};
    w.release("summary");
    w.await_event("task.waiting", task);
    write_file(w.workspace() + "/gate", "go\n");
    const auto end = w.ended(task);
    CHECK(end.at("result").as_string() == "Done.");
    CHECK(end.at("turns").as_int64() == 4); // the summary is none
    const auto event = last_event(w, "session.compacted");
    CHECK(event.at("from_epoch") == 1);
    CHECK(event.at("epoch") == 2);
    CHECK(event.at("reason") == "window");
    CHECK(event.at("form") == "summary");
    CHECK(event.at("turn") == 3);
    CHECK(event.at("tokens_before").as_int64() > full);
    CHECK(event.at("summary_tokens") == 10);
    CHECK(epoch_of(w, task) == 2);
    // The same tools and the same bytes before it: the server's cache is read.
    const auto requests = w.requests("phase-one");
    REQUIRE(requests.size() == 3);
    CHECK(requests[2].at("body").at("tools") == requests[1].at("body").at("tools"));
    CHECK(requests[2].at("body").at("max_tokens").as_int64() <= 500);
    // What it says is nobody's answer.
    CHECK(follower.answer().body.find("SUMMARY") == std::string::npos);
    check_told_once(w, {session_of(w, task)});
    w.check_model_content();
}

TEST_CASE("compaction: the whole history stays readable, each message with its epoch")
{
    world w{{.scenario =
                 long_haul({step({bash("echo one")}, counting(full)), step({say("SUMMARY of it")})},
                     {step({say("Done.")})}),
        .model_config = small_window}};
    const auto task = w.submit("long haul");
    CHECK(w.ended(task).at("result").as_string() == "Done.");
    const auto page = w.json(200, "GET", "/v1/sessions/" + session_of(w, task) + "/messages");
    std::string shape;
    for (const auto& message : page.at("items").as_array())
        shape +=
            std::string{message.at("role").as_string()} + js::serialize(message.at("epoch")) + " ";
    CHECK(shape == "user1 assistant1 user1 assistant1 user2 assistant2 ");
    const auto& items = page.at("items").as_array();
    const auto requests = w.requests("phase-one"); // content as sent
    const auto& asked = requests.back().at("body").at("messages").as_array().back();
    CHECK(items[2].at("content").as_array().size() == asked.at("content").as_array().size());
    CHECK(js::serialize(items[2].at("content")).find("\"one\"") != std::string::npos);
    CHECK(js::serialize(items[3]).find("SUMMARY of it") != std::string::npos);
    // What is read again after a restart is what was sent before it.
    static_cast<void>(w.stop_daemon(SIGTERM));
    w.start_daemon();
    CHECK(w.json(200, "GET", "/v1/sessions/" + session_of(w, task) + "/messages") ==
        w.json(200, "GET", "/v1/sessions/" + session_of(w, task) + "/messages"));
    w.check_model_content();
}

TEST_CASE("compaction: killed while the summary is asked for, it is asked for again")
{
    world w{{.scenario = scenario({interrupted("SUMMARY", {step({say("Done.")})}),
                 interrupted("long haul",
                     {step({bash("echo one >> ran")}, counting(full)),
                         step({say("never")}, holding("ever", expects({wish}))),
                         step({say("SUMMARY again")}, expects({wish}))})}),
        .model_config = small_window}};
    const auto task = w.submit("long haul");
    w.await_model("held=ever");
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    w.start_daemon();
    CHECK(w.ended(task).at("result").as_string() == "Done.");
    CHECK(read_file(w.workspace() + "/ran") == "one\n");
    CHECK(epoch_of(w, task) == 2);
    CHECK(count_type(w, "session.compacted") == 1);
    check_ends(w, {task});
    w.check_model_content();
}

TEST_CASE("compaction: killed before the new epoch's first reply, it goes on in the new epoch")
{
    world w{{.scenario = scenario({interrupted("SUMMARY",
                                       {step({say("never")}, holding("ever")),
                                           step({say("Done.")},
                                               {{"expect",
                                                   {{"history_once",
                                                       js::array{"SUMMARY of it", "second haul",
                                                           "<background-results>"}}}}})}),
                 interrupted("first haul",
                     {step({background("read l < gate; echo late")}),
                         step({say("Begun.")}, counting(full)),
                         step({say("SUMMARY of it")}, expects({wish}))})}),
        .model_config = small_window}};
    ::mkfifo((w.workspace() + "/gate").c_str(), 0600);
    const auto first = w.submit("first haul", {{"jobs_at_end", "detach"}});
    CHECK(state_of(w.ended(first)) == "succeeded");
    const auto session = session_of(w, first);
    // The next task begins with a summary of what was; its own prompt comes behind it.
    const auto second = w.submit("second haul", {{"session_id", session}});
    w.await_model("held=ever");
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    w.start_daemon();
    CHECK(w.ended(second).at("result").as_string() == "Done.");
    CHECK(epoch_of(w, second) == 2);
    CHECK(count_type(w, "session.compacted") == 1);
    check_told_once(w, {session});
    check_ends(w, {first, second});
    w.check_model_content();
}

TEST_CASE("compaction: killed at any moment, nothing is lost, told twice or run again")
{
    world w{{.scenario =
                 scenario({interrupted("SUMMARY", {step({bash("echo two")}), step({say("Done.")})}),
                     interrupted("long haul",
                         {step({bash("echo one"), background("echo job")}, counting(full)),
                             step({say("SUMMARY of it")})})}),
        .config = "wake_window_ms = 10\n",
        .model_config = small_window}};
    std::vector<std::string> tasks;
    std::vector<std::string> sessions;
    for (int round = 0; round < 10; ++round) {
        const auto task = w.submit("long haul " + std::to_string(round) + " of ten");
        for (int i = 0; i < round * 4; ++i)
            CHECK(w.call("GET", "/v1/health").status == 200);
        CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
        w.start_daemon();
        CHECK_MESSAGE(state_of(w.ended(task)) == "succeeded", js::serialize(w.task(task)));
        tasks.push_back(task);
        sessions.push_back(session_of(w, task));
    }
    check_told_once(w, sessions);
    check_ends(w, tasks);
    check_gapless(w);
    // Where the reply that fills the window was lost, the script is one step further: none.
    std::int64_t epochs = 0;
    for (const auto& task : tasks)
        epochs += epoch_of(w, task) - 1;
    CHECK(epochs > 0);
    CHECK(epochs == static_cast<std::int64_t>(count_type(w, "session.compacted")));
    w.check_model_content();
}

TEST_CASE("compaction: what happens meanwhile is told once, in the new epoch")
{
    world w{{.scenario = long_haul({step({background("read l < gate; echo late")}, counting(full)),
                                       step({say("SUMMARY of it")}, holding("summary"))},
                 {step({say("Done.")},
                     {{"expect",
                         {{"contains_in_order",
                             js::array{"SUMMARY of it", "long haul", "| late", "in green"}}}}})}),
        .model_config = small_window}};
    ::mkfifo((w.workspace() + "/gate").c_str(), 0600);
    const auto task = w.submit("long haul");
    w.await_model("held=summary");
    write_file(w.workspace() + "/gate", "go\n");
    w.await_event("notification.queued");
    w.json(202, "POST", "/v1/tasks/" + task + "/messages", {{"text", "in green"}});
    w.release("summary");
    CHECK(w.ended(task).at("result").as_string() == "Done.");
    check_told_once(w, {session_of(w, task)});
    w.check_model_content();
}

TEST_CASE("compaction: replies of no use are tried three times, then the work goes on without")
{
    // Refused; then, asked with a record: blank, and calls in the place of a text.
    const js::object once{{"strict_append", false}};
    world w{
        {.scenario = scenario({conversation("echo two", {step({bash("echo never >> ran")})}, once),
             conversation(record, {step({say(" ")}, expects({"one", wish}))}, once),
             conversation("long haul",
                 {step({bash("echo one")}, counting(full)),
                     step({say("no")}, ending_with("refusal", expects({wish}))),
                     step({bash("echo two")}, counting(full)),
                     step({bash("echo three")}, counting(full)),
                     step({bash("echo four")}, counting(full)), step({say("Done.")})})}),
            .model_config = small_window}};
    const auto task = w.submit("long haul");
    const auto end = w.ended(task);
    CHECK_MESSAGE(end.at("result") == "Done.", js::serialize(end));
    CHECK(end.at("turns").as_int64() == 5);
    const auto failures = w.events("&types=session.compaction_failed");
    REQUIRE(failures.size() == 3);
    CHECK(failures[0].at("reason") == "the model refused to summarise");
    CHECK(failures[1].at("reason") == "the reply holds no text");
    CHECK(failures[1].at("gave_up") == false);
    CHECK(failures[2].at("failures") == 3);
    CHECK(failures[2].at("gave_up") == true);
    CHECK(read_file(w.workspace() + "/ran").empty()); // its calls are never run
    CHECK(epoch_of(w, task) == 1);
    w.check_model_content();
}

TEST_CASE("compaction: a conversation that is too long again at once is left alone in the end")
{
    world w{{.scenario = scenario(
                 {conversation(record, {step({say("SUMMARY 2")})}, {{"strict_append", false}}),
                     conversation("SUMMARY 2",
                         {step({bash("echo b")}, counting(full)), step({say("Done.")})}),
                     conversation("SUMMARY 1", {step({bash("echo a")}, counting(full))}),
                     conversation("long haul",
                         {step({bash("echo one")}, counting(full)), step({say("SUMMARY 1")})})}),
        .model_config = small_window}};
    const auto task = w.submit("long haul");
    CHECK(w.ended(task).at("result") == "Done.");
    CHECK(count_type(w, "session.compacted") == 3);
    CHECK(last_event(w, "session.compacted").at("form") == "digest");
    CHECK(epoch_of(w, task) == 4);
    w.check_model_content();
}

TEST_CASE("compaction: what the server refuses as too long is made again, with a record summarised")
{
    js::value refusal;
    SUBCASE("by the window") {
        refusal = refused_as(400, "prompt is too long: 208310 tokens > 200000 maximum");
    }
    SUBCASE("by its size") {
        refusal = refused_as(413, "Request exceeds the maximum size");
    }
    world w{{.scenario = scenario({conversation("SUMMARY",
                                       {step({say("Done.")},
                                           {{"expect",
                                               {{"contains_in_order",
                                                   js::array{"SUMMARY of it", "word for word",
                                                       "long haul", "| quick", "be brief"}}}}})}),
                 conversation(record,
                     {step({say("SUMMARY of it")},
                         {{"expect",
                             {{"contains_in_order",
                                  js::array{"user: long haul", "assistant calls bash",
                                      "result: one", "end of the record", wish}},
                                 {"not_contains", "| quick"}}}})}),
                 conversation("long haul",
                     {step({background("echo quick")}),
                         step({bash("echo one"), use("wait_background", {})}, holding("gate")),
                         refusal})})}};
    const auto task = w.submit("long haul");
    w.await_model("held=gate");
    w.json(202, "POST", "/v1/tasks/" + task + "/messages", {{"text", "be brief"}});
    w.release("gate");
    CHECK_MESSAGE(w.ended(task).at("result") == "Done.", js::serialize(w.ended(task)));
    CHECK(last_event(w, "session.compacted").at("reason") == "too_long");
    check_told_once(w, {session_of(w, task)});
    CHECK(count_type(w, "notification.delivered") == 2); // the job's end and the message
}

TEST_CASE("compaction: where even a record is too long, the task fails and says why")
{
    const auto refusal = refused_as(400, "prompt is too long: 9000 tokens > 8000 maximum");
    world w{{.scenario = scenario({conversation(record, {refusal}, {{"then", "repeat_last"}}),
                 conversation("long haul", {step({bash("echo one")}), refusal})})}};
    const auto end = w.ended(w.submit("long haul"));
    CHECK(error_of(end) == "model_error");
    const std::string why{end.at("error").at("message").as_string()};
    CHECK_MESSAGE(why.find("prompt is too long") != std::string::npos, why);
    CHECK_MESSAGE(why.find("3 attempts to summarise") != std::string::npos, why);
    CHECK(count_type(w, "session.compaction_failed") == 3);
    CHECK(w.requests().size() == 5); // bounded
}

TEST_CASE("compaction: a first prompt that is too long has nothing to be summarised")
{
    world w{{.scenario = scenario({conversation("long haul",
                 {refused_as(400, "prompt is too long: 9000 tokens > 8000 maximum")})})}};
    const auto end = w.ended(w.submit("long haul"));
    CHECK(error_of(end) == "model_error");
    CHECK(end.at("error").at("status") == 400);
    CHECK(w.requests().size() == 1);
}

TEST_CASE("compaction: a reply cut by the window is kept, and continued behind a summary")
{
    world w{
        {.scenario = scenario({conversation("SUMMARY",
                                   {step({say("Done.")}, expects({"Please continue."}))}),
             conversation(
                 record, {step({say("SUMMARY of it")}, expects({"assistant: First half"}))}),
             conversation("long haul",
                 {step({bash("echo one")}),
                     step({say("First half")}, ending_with("model_context_window_exceeded"))})})}};
    const auto task = w.submit("long haul");
    CHECK(w.ended(task).at("result") == "Done.");
    CHECK(epoch_of(w, task) == 2);
    w.check_model_content();
}

TEST_CASE("compaction: a task that is cancelled meanwhile leaves a history that can go on")
{
    // The wish that nobody answered is no part of the history.
    const js::object free{{"strict_append", false}};
    world w{{.scenario = scenario(
                 {conversation("SUMMARY", {step({say("Second done.")}, expects({"second haul"}))}),
                     conversation("long haul",
                         {step({bash("echo one")}, counting(full)),
                             step({say("never")}, holding("ever", expects({wish}))),
                             step({say("SUMMARY of it")}, expects({"do not go on with it", wish}))},
                         free)}),
        .model_config = small_window}};
    const auto first = w.submit("long haul");
    w.await_model("held=ever");
    w.json(202, "POST", "/v1/tasks/" + first + "/cancel");
    CHECK(state_of(w.ended(first)) == "cancelled");
    const auto second = w.submit("second haul", {{"session_id", session_of(w, first)}});
    CHECK(w.ended(second).at("result") == "Second done.");
    w.check_model_content();
}

TEST_CASE("compaction: it is paid for, and a budget that it uses up ends the task")
{
    js::object dear = counting(5000);
    world w{{.scenario = long_haul({step({bash("echo one")}, counting(full)),
                                       step({say("SUMMARY of it")}, std::move(dear))},
                 {step({say("Second done.")},
                     {{"expect",
                         {{"contains_in_order",
                             js::array{"SUMMARY of it", "long haul", "failed: budget; do not go on",
                                 "second haul"}}}}})}),
        .model_config = small_window}};
    const auto task = w.submit("long haul", {{"max_tokens_total", 10'000}});
    const auto end = w.ended(task);
    CHECK(error_of(end) == "budget");
    CHECK(end.at("turns") == 1);
    CHECK(end.at("usage").at("input") == full + 5000);
    CHECK(end.at("usage").at("output") == 20);
    const auto finished = w.events("&types=turn.finished&task_id=" + task);
    REQUIRE(finished.size() == 2);
    CHECK(finished[1].at("compaction") == true);
    CHECK(finished[1].at("turn") == 2);
    CHECK(finished[1].at("usage").at("input") == 5000);
    const auto second = w.submit("second haul", {{"session_id", session_of(w, task)}});
    CHECK(w.ended(second).at("result") == "Second done.");
    w.check_model_content();
}

TEST_CASE("compaction: the summary outlives a refusal of the first request behind it")
{
    world w{{.scenario =
                 scenario({conversation("bad wish", {step({say("No")}, ending_with("refusal"))}),
                     conversation("good wish", {step({say("Fine.")}, expects({"SUMMARY of it"}))}),
                     conversation("first haul",
                         {step({say("Begun.")}, counting(full)), step({say("SUMMARY of it")})})}),
        .model_config = small_window}};
    const auto first = w.submit("first haul");
    CHECK(w.ended(first).at("result") == "Begun.");
    const auto session = session_of(w, first);
    const auto bad = w.submit("bad wish", {{"session_id", session}});
    CHECK(error_of(w.ended(bad)) == "refusal");
    const auto good = w.submit("good wish", {{"session_id", session}});
    CHECK(w.ended(good).at("result") == "Fine.");
    CHECK(last_user_text(w.requests().back()).find("bad wish") == std::string::npos);
    w.check_model_content();
}

TEST_CASE("compaction: switched off, or in a window known to be larger, there is none")
{
    const auto steps = scenario({conversation(
        "long haul", {step({bash("echo one")}, counting(180'000)), step({say("Done.")})})});
    world off{{.scenario = steps, .model_config = "compact_at = 0\n"}};
    CHECK(off.ended(off.submit("long haul")).at("result") == "Done.");
    off.check_model_content();
    // The server says that the model takes a million tokens.
    world learns{{.scenario = scenario({conversation("long haul",
                      {step({bash("echo one")}, counting(120'000)),
                          step({bash("echo two")}, counting(180'000)), step({say("Done.")})})})}};
    CHECK(learns.ended(learns.submit("long haul")).at("result") == "Done.");
    learns.check_model_content();
}
