// What a request that was never answered had told already, and what became of jobs and of cut
// texts: told once after the daemon's end, in one element of one request.
#include "tests/system/state_by_hand.hpp"
#include "tests/system/window.hpp"

#include <algorithm>
#include <csignal>

using namespace agentd::testing;

namespace {

// Ends when there is a file beside the daemon's HOME.
constexpr std::string_view quick = "while [ ! -e ${HOME%/*}/now ]; do sleep 0.01; done; echo quick";

void kill_and_start(world& w, int signal = SIGKILL)
{
    static_cast<void>(w.stop_daemon(signal));
    w.start_daemon();
}

} // namespace

TEST_CASE("resume: an element of another version's making stays; what came since is told next")
{
    world w{{.scenario = scenario({interrupted("two jobs",
                 {step({background(quick), background("sleep 300")}),
                     step({bash("true")}, holding("go")), step({say("never")}, holding("ever")),
                     step({say("One told.")}, expects({"| quick"})),
                     step({say("Told.")}, expects({"lost: ", "sleep 300"}))})})}};
    const auto task = w.submit("two jobs");
    w.await_model("held=go");
    write_file(w.state_folder() + "/../now", "");
    w.await_event("notification.queued");
    w.release("go");
    w.await_model("held=ever");
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    // What is composed now is not what was sent.
    change_state(w, "UPDATE jobs SET cpu_ms = cpu_ms + 5000 WHERE command LIKE '%echo quick'");
    w.start_daemon();
    CHECK_MESSAGE(w.ended(task).at("result") == "Told.", js::serialize(w.task(task)));
    const auto requests = w.requests();
    REQUIRE(requests.size() == 5);
    for (const auto& request : requests)
        CHECK(count_of(last_user_text(request), "<background-results>") <= 1);
    check_told_once(w, {session_of(w, task)});
    w.check_model_content();
}

TEST_CASE("resume: a cut text's continuation that was under way is asked for once")
{
    world w{{.scenario = scenario({interrupted("essay",
                 {step({say("First half")}, ending_with("max_tokens")),
                     step({say("never")}, holding("ever")), step({say("never")}, holding("ever")),
                     step({say("second half.")},
                         {{"expect", {{"history_once", js::array{"Please continue."}}}}})})})}};
    const auto task = w.submit("essay");
    int request = 2;
    for (const int signal : {SIGKILL, SIGTERM}) {
        w.await_model("held=ever&count=1&requests=" + std::to_string(request++));
        kill_and_start(w, signal);
    }
    CHECK(w.ended(task).at("result") == "second half.");
    CHECK(conversation_of(w, session_of(w, task)).find("First half") != std::string::npos);
    CHECK(w.task(task).at("turns") == 2);
    w.check_model_content();
}

TEST_CASE("resume: jobs that ran and jobs that waited for a place are lost, each with its reason")
{
    world w{
        {.scenario = scenario({interrupted("two jobs",
             {step({background("sleep 300"), background("sleep 301")}), step({say("I wait.")}),
                 step({say("Told.")},
                     {{"expect",
                         {{"contains_in_order",
                             js::array{"lost: agentd ended while it ran", "sleep 300",
                                 "lost: agentd ended before it was started", "sleep 301"}}}}})})}),
            .config = "jobs.per_session = 1\n"}};
    const auto task = w.submit("two jobs");
    w.await_event("task.waiting", task);
    kill_and_start(w);
    CHECK(w.ended(task).at("result") == "Told.");
    check_told_once(w, {session_of(w, task)});
    w.check_model_content();
}

TEST_CASE("resume: a lost job of a session that rests wakes nobody, and is told in its next task")
{
    world w{
        {.scenario = scenario({conversation("start",
             {step({background("sleep 300")}), step({say("Started.")}),
                 step({say("I see.")},
                     {{"expect",
                         {{"contains_in_order", js::array{"lost: ", "what came of it"}}}}})})})}};
    const auto task = w.submit("start it", {{"jobs_at_end", "detach"}});
    CHECK(w.ended(task).at("result") == "Started.");
    kill_and_start(w);
    kill_and_start(w, SIGTERM); // no task of it is open: nothing has been asked meanwhile
    CHECK(w.requests().size() == 2);
    const auto next = w.submit("what came of it?", {{"session_id", session_of(w, task)}});
    CHECK(w.ended(next).at("result") == "I see.");
    check_told_once(w, {session_of(w, task)});
    w.check_model_content();
}
