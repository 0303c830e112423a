// What a task is found in after the daemon's end, at moments too short to be met from outside,
// and what becomes of one whose state the database refuses.
#include "tests/system/state_by_hand.hpp"
#include "tests/system/window.hpp"

#include <csignal>
#include <filesystem>

using namespace agentd::testing;

namespace {

// As if the daemon had ended before the request that is under way was composed.
void kill_before_request(world& w)
{
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    change_state(w,
        "UPDATE sessions SET messages = messages - 1 WHERE EXISTS (SELECT 1 FROM messages "
        "WHERE answered = 0 AND session = sessions.id);"
        "DELETE FROM messages WHERE answered = 0;");
    w.start_daemon();
}

js::object held(js::object more = {})
{
    more["reply"] = {{"hold", "ever"}};
    return more;
}

js::object stopped_by(std::string_view reason)
{
    return {{"reply", {{"stop_reason", reason}}}};
}

js::object in_order(js::array parts)
{
    return {{"expect", {{"contains_in_order", std::move(parts)}}}};
}

} // namespace

TEST_CASE("resume: ended behind a text that was cut, the task continues it")
{
    world w{{.scenario = scenario({interrupted("essay",
                 {step({say("First half")}, stopped_by("max_tokens")), step({say("never")}, held()),
                     step({say("second half.")}, expects({"Please continue."}))})})}};
    const auto task = w.submit("essay");
    w.await_model("held=ever");
    kill_before_request(w);
    CHECK(w.ended(task).at("result") == "second half.");
    w.check_model_content();
}

TEST_CASE("resume: ended behind a reply with nothing in it, the model is asked to go on")
{
    world w{{.scenario = scenario({interrupted("quiet",
                 {step({bash("echo one")}), step({say(" ")}), step({say("never")}, held()),
                     step({say("Done.")}, expects({"Please continue."}))})})}};
    const auto task = w.submit("quiet");
    w.await_model("held=ever");
    kill_before_request(w);
    CHECK_MESSAGE(w.ended(task).at("result") == "Done.", js::serialize(w.task(task)));
    w.check_model_content();
}

TEST_CASE("resume: a paused reply is continued first, with nothing added; the news waits")
{
    const js::value search{{"type", "server_tool_use"}, {"id", "srvtoolu_1"},
        {"name", "web_search"}, {"input", js::object{}}};
    const js::value result{{"type", "web_search_tool_result"}, {"tool_use_id", "srvtoolu_1"},
        {"content", js::array{}}};
    world w{{.scenario = scenario({interrupted("search",
                 {step({background("sleep 300")}),
                     step({say("Searching"), search}, stopped_by("pause_turn")),
                     step({say("never")}, held()), step({result, say("Found.")}),
                     step({say("Found, and lost.")}, expects({"lost: "}))})})}};
    const auto task = w.submit("search");
    w.await_model("held=ever");
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    w.start_daemon();
    CHECK(w.ended(task).at("result") == "Found, and lost.");
    const auto requests = w.requests();
    REQUIRE(requests.size() == 5);
    for (const int one : {2, 3})
        CHECK(requests[static_cast<std::size_t>(one)]
                  .at("body")
                  .at("messages")
                  .as_array()
                  .back()
                  .at("role") == "assistant");
    w.check_model_content();
}

TEST_CASE("resume: what an unanswered request carried and what came since are one element")
{
    world w{
        {.scenario = scenario({interrupted("two jobs",
             {step({background("echo quick"), background("sleep 300")}),
                 step({bash("true")}, {{"reply", {{"hold", "go"}}}}), step({say("never")}, held()),
                 step({say("Told.")}, in_order({"| quick", "lost: ", "sleep 300"}))})})}};
    const auto task = w.submit("two jobs");
    w.await_event("notification.queued");
    w.release("go");
    w.await_model("held=ever");
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    w.start_daemon();
    CHECK(w.ended(task).at("result") == "Told.");
    const auto text = last_user_text(w.requests().back());
    CHECK_MESSAGE(count_of(text, "<background-results>") == 1, text);
    CHECK(count_of(text, "| quick") == 1);
    check_told_once(w, {session_of(w, task)});
    w.check_model_content();
}

TEST_CASE("resume: a state of the first version goes on: its task, its message, what that carries")
{
    world w{
        {.scenario = scenario({conversation("two jobs",
             {step({say("Before.")}), step({background("echo quick"), background("sleep 300")}),
                 step({bash("true")}, {{"reply", {{"hold", "go"}}}}), step({say("never")}, held()),
                 step({say("Told.")}, in_order({"| quick", "lost: ", "sleep 300"}))})})}};
    const auto before = w.submit("two jobs");
    CHECK(w.ended(before).at("result") == "Before.");
    const auto task = w.submit("begin", {{"session_id", session_of(w, before)}});
    w.await_event("notification.queued");
    w.release("go");
    w.await_model("held=ever");
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    to_first_version(w);
    w.start_daemon();
    CHECK(w.ended(task).at("result") == "Told.");
    CHECK(w.ended(before).at("result") == "Before.");
    CHECK(count_of(last_user_text(w.requests().back()), "<background-results>") == 1);
    CHECK(std::filesystem::exists(w.state_folder() + "/agentd.db.v1.backup"));
    check_told_once(w, {session_of(w, task)});
    check_gapless(w);
    w.check_model_content();
}

TEST_CASE("resume: a later task extends the element of a cancelled one's message, in its place")
{
    world w{
        {.scenario = scenario({conversation("two jobs",
             {step({background("echo quick"), background("sleep 300")}),
                 step({bash("true")}, {{"reply", {{"hold", "go"}}}}), step({say("never")}, held()),
                 step({say("Told.")},
                     in_order({"| quick", "killed by user", "cancelled; do not go on with it",
                         "second task"}))})})}};
    const auto first = w.submit("two jobs");
    w.await_event("notification.queued");
    w.release("go");
    w.await_model("held=ever");
    w.json(202, "POST", "/v1/tasks/" + first + "/cancel");
    CHECK(state_of(w.ended(first)) == "cancelled");
    const auto second = w.submit("second task", {{"session_id", session_of(w, first)}});
    CHECK(w.ended(second).at("result") == "Told.");
    CHECK(count_of(last_user_text(w.requests().back()), "<background-results>") == 1);
    check_told_once(w, {session_of(w, first)});
    w.check_model_content();
}

namespace {

// Ends the daemon behind a compaction, before the request that follows it is stored.
void kill_behind_compaction(world& w, const std::string& hold)
{
    w.await_model("held=" + hold);
    change_state(w,
        "CREATE TRIGGER broken BEFORE UPDATE OF content ON messages WHEN OLD.epoch = 2 "
        "BEGIN SELECT RAISE(ABORT, 'broken'); END");
    w.release(hold);
    w.await_event("session.compacted");
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    change_state(w, "DROP TRIGGER broken");
    w.start_daemon();
}

} // namespace

TEST_CASE("resume: ended right behind a compaction, the new task's prompt is told, and once")
{
    world w{{.scenario = scenario(
                 {interrupted("SUMMARY",
                      {step({say("Done.")},
                          {{"expect",
                              {{"history_once", js::array{"SUMMARY of it", "second haul"}}}}})}),
                     interrupted("first haul",
                         {step({say("Begun.")}, counting(full)),
                             step({say("SUMMARY of it")}, holding("summary", expects({wish})))})}),
        .model_config = small_window}};
    const auto first = w.submit("first haul");
    CHECK(w.ended(first).at("result") == "Begun.");
    const auto second = w.submit("second haul", {{"session_id", session_of(w, first)}});
    kill_behind_compaction(w, "summary");
    CHECK(w.ended(second).at("result") == "Done.");
    CHECK(w.events("&types=session.compacted").size() == 1);
    w.check_model_content();
}

TEST_CASE("resume: ended right behind a compaction, what the refused request carried is told")
{
    world w{{.scenario = scenario(
                 {interrupted("SUMMARY",
                      {step({say("Done.")},
                          in_order({"SUMMARY of it", "long haul", "| quick", "be brief"}))}),
                     interrupted(record, {step({say("SUMMARY of it")}, holding("summary"))}),
                     interrupted("long haul",
                         {step({background("echo quick")}),
                             step({bash("echo one"), use("wait_background", {})}, holding("gate")),
                             refused_as(413, "too large")})})}};
    const auto task = w.submit("long haul");
    w.await_model("held=gate");
    w.json(202, "POST", "/v1/tasks/" + task + "/messages", {{"text", "be brief"}});
    w.release("gate");
    kill_behind_compaction(w, "summary");
    CHECK(w.ended(task).at("result") == "Done.");
    check_told_once(w, {session_of(w, task)});
    CHECK(w.events("&types=notification.delivered").size() == 2);
}

TEST_CASE("broken: a reply that the database refuses ends the task as internal, and no other")
{
    world w{{.scenario = scenario({conversation("break",
                 {step({background("sleep 300")}),
                     step({bash("echo ran >> ran")}, {{"reply", {{"hold", "gate"}}}}),
                     step({say("Second done.")},
                         in_order({"failed: internal; do not go on with it", "second task"}))},
                 {{"strict_append", "extendable"}})})}};
    const auto first = w.submit("break it");
    w.await_model("held=gate");
    change_state(
        w, "CREATE TRIGGER broken BEFORE INSERT ON calls BEGIN SELECT RAISE(ABORT, 'broken'); END");
    w.release("gate");
    const auto end = w.ended(first);
    CHECK(error_of(end) == "internal");
    CHECK(read_file(w.workspace() + "/ran").empty());
    for (const auto& job : jobs_in(w, session_of(w, first)))
        CHECK(state_of(job) == "killed");
    change_state(w, "DROP TRIGGER broken");
    const auto second = w.submit("second task", {{"session_id", session_of(w, first)}});
    CHECK(w.ended(second).at("result") == "Second done.");
    check_told_once(w, {session_of(w, first)});
    w.check_model_content();
}

TEST_CASE("broken: an answer of a tool, or the task's own start, that the database refuses")
{
    world w{{.scenario = scenario({conversation("break",
                 {step({bash("echo one")}, {{"reply", {{"hold", "gate"}}}}),
                     step({say("Third done.")}, in_order({"cut off", "third task"}))},
                 {{"strict_append", "extendable"}})})}};
    const auto first = w.submit("break it");
    w.await_model("held=gate");
    change_state(w,
        "CREATE TRIGGER broken BEFORE INSERT ON call_answers "
        "BEGIN SELECT RAISE(ABORT, 'broken'); END");
    w.release("gate");
    CHECK(error_of(w.ended(first)) == "internal");
    const js::object more{{"session_id", session_of(w, first)}};
    change_state(w,
        "DROP TRIGGER broken; CREATE TRIGGER broken BEFORE UPDATE ON tasks "
        "WHEN NEW.state = 1 AND OLD.state = 0 BEGIN SELECT RAISE(ABORT, 'broken'); END");
    CHECK(error_of(w.ended(w.submit("second task", more))) == "internal");
    change_state(w, "DROP TRIGGER broken");
    CHECK(w.ended(w.submit("third task", more)).at("result") == "Third done.");
    w.check_model_content();
}

TEST_CASE(
    "broken: a job's end that the database refuses ends its task; a kill or a start has it lost")
{
    const auto waits = background("echo some; until [ -e go ]; do sleep 0.02; done");
    world w{{.scenario = scenario({conversation("break",
                 {step({waits, waits}), step({say("never")}, held()),
                     step({say("Second done.")},
                         in_order({"lost: its end could not be stored", "lost: agentd ended",
                             "failed: internal", "second task"}))},
                 {{"strict_append", "extendable"}})})}};
    const auto first = w.submit("break it");
    w.await_model("held=ever"); // a task that settled after the refusal would wait for ever
    change_state(w,
        "CREATE TRIGGER broken BEFORE UPDATE OF state ON jobs WHEN NEW.state > 1 "
        "BEGIN SELECT RAISE(ABORT, 'broken'); END");
    write_file(w.workspace() + "/go", "");
    CHECK(error_of(w.ended(first)) == "internal");
    change_state(w, "DROP TRIGGER broken");
    const auto session = session_of(w, first);
    const auto id = std::string{jobs_in(w, session).front().at("id").as_string()};
    const auto killed = w.json(200, "POST", "/v1/jobs/" + id + "/kill");
    CHECK(killed.at("state").as_string() == "lost");
    CHECK(killed.at("output_bytes") == 5);
    CHECK(w.stop_daemon(SIGTERM) == 0);
    w.start_daemon();
    const auto second = w.submit("second task", {{"session_id", session}});
    CHECK(w.ended(second).at("result") == "Second done.");
    for (const auto& job : jobs_in(w, session))
        CHECK(state_of(job) == "lost");
    check_told_once(w, {session});
    w.check_model_content();
}
