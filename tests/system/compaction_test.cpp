// Long conversations end to end: when the window is full a summary takes the place of what was
// said, nothing of it is lost to those who read the history, and nothing is told twice.
#include "tests/system/window.hpp"

#include <sys/stat.h>

#include <csignal>

using namespace agentd::testing;

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
    const auto again = w.json(200, "GET", "/v1/sessions/" + session_of(w, task) + "/messages");
    CHECK(again.at("items") == page.at("items"));
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
