// Long conversations that cannot be summarised, or not at once: it is tried again, otherwise,
// and in the end left alone; what it costs is counted.
#include "tests/system/window.hpp"

#include <csignal>

using namespace agentd::testing;

TEST_CASE("compaction: replies of no use are tried three times, then the work goes on without")
{
    // Refused; then, asked with a record: blank, and calls beside a text.
    const js::object once{{"strict_append", false}};
    world w{{.scenario =
                 scenario({conversation("echo three",
                               {step({say("SUMMARY, or not"), bash("echo never >> ran")})}, once),
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
    CHECK(failures[2].at("reason") == "the model called tools instead");
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
                                  js::array{"user:", "| long haul", "assistant calls bash",
                                      "result:", "| one", "end of the record", wish}},
                                 {"not_contains", "| quick"}}}})}),
                 conversation("long haul",
                     {step({background("echo quick")}),
                         step({bash("echo one"), use("wait_background", {})}, holding("gate")),
                         refusal})})}};
    const auto task = w.submit("long haul");
    w.await_model("held=gate");
    w.await_event("job.finished"); // else the message could cut the waiting for it short
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
             conversation(record, {step({say("SUMMARY of it")}, expects({"| First half"}))}),
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

TEST_CASE("compaction: above the usual size the window is asked for before it is decided")
{
    // The server says that the model takes a million tokens.
    world w{
        {.scenario = scenario({interrupted("long haul",
             {step({say("Begun.")}, counting(300'000)), step({bash("echo one")}, counting(310'000)),
                 step({say("never")}, holding("ever")), step({say("Done.")})})})}};
    const auto first = w.submit("long haul");
    CHECK(w.ended(first).at("result") == "Begun.");
    const auto second = w.submit("second haul", {{"session_id", session_of(w, first)}});
    w.await_model("held=ever");
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    w.start_daemon();
    CHECK(w.ended(second).at("result") == "Done.");
    CHECK(epoch_of(w, second) == 1);
    CHECK(count_type(w, "session.compaction_failed") == 0);
    w.check_model_content();
}

TEST_CASE("compaction: a summary that was cut is wanted again, and taken at the last try only")
{
    const js::object once{{"strict_append", false}};
    const auto cut = [](std::string_view text) {
        return step({say(text)}, ending_with("max_tokens"));
    };
    world w{{.scenario = scenario({conversation("echo three", {cut("SUMMARY three")}, once),
                 conversation(record, {cut("SUMMARY two")}, once),
                 conversation("SUMMARY three", {step({say("Done.")})}),
                 conversation("long haul",
                     {step({bash("echo one")}, counting(full)), cut("SUMMARY one"),
                         step({bash("echo two")}, counting(full)),
                         step({bash("echo three")}, counting(full))},
                     once)}),
        .model_config = small_window}};
    const auto task = w.submit("long haul");
    CHECK(w.ended(task).at("result") == "Done.");
    const auto failures = w.events("&types=session.compaction_failed");
    REQUIRE(failures.size() == 2);
    CHECK(failures[0].at("reason") == "the summary was cut");
    CHECK(failures[1].at("reason") == "the summary was cut");
    CHECK(epoch_of(w, task) == 2);
}

TEST_CASE("compaction: the room for a summary of a record is not that of what it replaces")
{
    world w{{.scenario = scenario({conversation("SUMMARY", {step({say("Done.")})}),
                 conversation(record, {step({say("SUMMARY of it")})}, {{"key", "record"}}),
                 conversation("long haul", {step({bash("echo one")}, counting(199'500))})}),
        .model_config = "context_window = 200000\nmax_tokens = 9000\n"}};
    CHECK(w.ended(w.submit("long haul")).at("result") == "Done.");
    const auto asked = w.requests("record");
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].at("body").at("max_tokens") == 9000);
}

TEST_CASE("compaction: refusals that are paid for without a reply use up a budget, too")
{
    std::vector<js::value> steps{step({bash("echo one")}, counting(full))};
    const auto refusal = step({say("no")}, ending_with("refusal", counting(5000)));
    std::string config{"fallback = [\"claude-sonnet-5-5\"]\n"};
    std::size_t begun = 0;
    SUBCASE("of a summary") {
        steps.insert(steps.end(), {refusal, refused_as(400, "not like this")});
        config += small_window;
        begun = 2;
    }
    SUBCASE("of a request that is too long for the fallback") {
        steps.insert(steps.end(),
            {refusal, refused_as(400, "prompt is too long: 9000 tokens > 8000 maximum")});
        begun = 2;
    }
    steps.push_back(step({say("Done.")}));
    world w{{.scenario = scenario({conversation("long haul", steps, {{"strict_append", false}})}),
        .model_config = config}};
    const auto task = w.submit("long haul", {{"max_tokens_total", 10'000}});
    const auto end = w.ended(task);
    CHECK_MESSAGE(error_of(end) == "budget", js::serialize(end));
    CHECK(end.at("usage").at("input") == full + 5000);
    CHECK(count_type(w, "turn.started") == begun);
}

TEST_CASE("compaction: a first prompt that is too long does not end the session's later tasks")
{
    const auto refusal = refused_as(400, "prompt is too long: 208310 tokens > 200000 maximum");
    const js::object free{{"strict_append", false}};
    world w{{.scenario = scenario(
                 {conversation("SUMMARY", {step({say("Done.")}, expects({"second haul"}))}),
                     conversation(record, {step({say("SUMMARY of it")}, expects({"first haul"}))}),
                     conversation("first haul", {refusal, refusal}, free)})}};
    const auto first = w.submit("first haul");
    CHECK(error_of(w.ended(first)) == "model_error");
    const auto second = w.submit("second haul", {{"session_id", session_of(w, first)}});
    CHECK_MESSAGE(w.ended(second).at("result") == "Done.", js::serialize(w.ended(second)));
    CHECK(epoch_of(w, second) == 2);
}

TEST_CASE("compaction: a prompt that no summary makes room for fails alone, and is paid for once")
{
    const auto refusal = refused_as(400, "prompt is too long: 9000 tokens > 8000 maximum");
    const js::object free{{"strict_append", false}};
    world w{
        {.scenario = scenario({conversation(
                                   "SUMMARY", {step({say("Done.")}, expects({"third haul"}))}),
             conversation(record, {step({say("SUMMARY of it")}, expects({"bytes left out"}))}),
             conversation("first haul", {step({say("Begun.")}, counting(full)), refusal}, free)}),
            .model_config = small_window}};
    const auto first = w.submit("first haul");
    CHECK(w.ended(first).at("result") == "Begun.");
    const auto session = session_of(w, first);
    const auto second = w.submit("second " + std::string(40'000, 'x'), {{"session_id", session}});
    CHECK(error_of(w.ended(second)) == "model_error");
    CHECK(w.requests().size() == 2);
    const auto third = w.submit("third haul", {{"session_id", session}});
    CHECK_MESSAGE(w.ended(third).at("result") == "Done.", js::serialize(w.ended(third)));
    CHECK(epoch_of(w, third) == 2);
}

TEST_CASE("compaction: a new epoch that is refused as too long each time is given up")
{
    const auto refusal = refused_as(400, "prompt is too long: 9000 tokens > 8000 maximum");
    const js::object again{{"then", "repeat_last"}, {"strict_append", false}};
    world w{{.scenario = scenario({conversation(record, {step({say("SUMMARY of it")})}, again),
                 conversation("SUMMARY", {refusal}, again),
                 conversation("long haul", {step({bash("echo one")}), refusal})})}};
    const auto end = w.ended(w.submit("long haul"));
    CHECK(error_of(end) == "model_error");
    CHECK(count_type(w, "session.compacted") == 3);
    CHECK(w.requests().size() == 8); // bounded
}
