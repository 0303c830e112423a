// Races about jobs and sessions: a kill and an exit, a submit and the end of a session's
// coroutine, a submit and a delete. See race_test.cpp.
#include "base/unique_fd.hpp"
#include "tests/system/evidence.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

using namespace agentd::testing;

namespace {

std::string id_in(const http_reply& reply)
{
    return std::string{js::parse(reply.body).at("id").as_string()};
}

js::value quick()
{
    return interrupted("quick", {step({say("Done.")})});
}

} // namespace

TEST_CASE("race: a job is killed while it exits: it has one end, and that is told once")
{
    world w{{.scenario = scenario({interrupted("gate",
                 {step({background("read line < gate; echo through")}), step({say("I see.")})})}),
        .config = "wake_window_ms = 10\n"}};
    std::vector<std::string> tasks;
    std::vector<std::string> sessions;
    for (int round = 0; round < 20; ++round) {
        const auto folder = w.folder() + "/gate" + std::to_string(round);
        ::mkdir(folder.c_str(), 0700);
        ::mkfifo((folder + "/gate").c_str(), 0600);
        // Open on both sides: neither waits for the other.
        const agentd::base::unique_fd gate{::open((folder + "/gate").c_str(), O_RDWR | O_CLOEXEC)};
        tasks.push_back(w.submit("gate " + std::to_string(round), {{"workdir", folder}}));
        const auto started = w.await_event("job.started", tasks.back());
        const auto job = std::string{started.at("job_id").as_string()};
        if (round % 2 == 0)
            CHECK(::write(gate.get(), "go\n", 3) == 3);
        shot one{w, "POST", "/v1/jobs/" + job + "/kill"};
        shot other{w, "POST", "/v1/jobs/" + job + "/kill"};
        if (round % 2 == 1)
            CHECK(::write(gate.get(), "go\n", 3) == 3);
        CHECK(one.answer().status / 100 == 2);
        CHECK(other.answer().status / 100 == 2);
        const auto end = w.json(200, "GET", "/v1/jobs/" + job);
        const auto state = std::string{end.at("state").as_string()};
        CHECK_MESSAGE((state == "killed" || state == "completed"), js::serialize(end));
        if (state == "killed")
            CHECK(end.at("by").as_string() == "user");
        CHECK(state_of(w.ended(tasks.back())) == "succeeded");
        sessions.push_back(session_of(w, tasks.back()));
    }
    CHECK(count_events(w.events(), "job.finished") == tasks.size());
    CHECK(count_events(w.events(), "notification.queued") == tasks.size());
    check_told_once(w, sessions);
    check_ends(w, tasks);
    check_gapless(w);
    w.check_model_content();
    CHECK_MESSAGE(w.stop_daemon(SIGTERM) == 0, w.log());
}

TEST_CASE("race: submits meet the retirement of their session; all run, one after another")
{
    world w{{.scenario = scenario({quick()})}};
    std::vector<std::string> tasks{w.submit("quick")};
    const auto session = session_of(w, tasks.back());
    const auto body = js::serialize(js::object{{"prompt", "again"}, {"session_id", session}});
    for (int round = 0; round < 15; ++round) {
        static_cast<void>(w.ended(tasks.back()));
        shot one{w, "POST", "/v1/tasks", body};
        shot two{w, "POST", "/v1/tasks", body};
        shot three{w, "POST", "/v1/tasks", body};
        for (auto* each : {&one, &two, &three}) {
            const auto answer = each->answer();
            REQUIRE_MESSAGE(answer.status == 202, answer.body);
            tasks.push_back(id_in(answer));
        }
    }
    for (const auto& task : tasks)
        CHECK(state_of(w.ended(task)) == "succeeded");
    int open = 0;
    for (const auto& event : w.events("&session_id=" + session)) {
        const auto type = std::string{event.at("type").as_string()};
        open += type == "task.started" ? 1 : type == "task.finished" ? -1 : 0;
        CHECK((open == 0 || open == 1));
    }
    check_ends(w, tasks);
    check_gapless(w);
    w.check_model_content();
    CHECK_MESSAGE(w.stop_daemon(SIGTERM) == 0, w.log());
}

TEST_CASE("race: a session is deleted while a task is submitted to it: one is refused")
{
    world w{{.scenario = scenario({quick()})}};
    for (int round = 0; round < 20; ++round) {
        const auto first = w.submit("quick " + std::to_string(round));
        static_cast<void>(w.ended(first));
        const auto session = session_of(w, first);
        const auto body = js::serialize(js::object{{"prompt", "more"}, {"session_id", session}});
        std::optional<shot> early;
        if (round % 2 == 0)
            early.emplace(w, "POST", "/v1/tasks", body);
        shot deleting{w, "DELETE", "/v1/sessions/" + session};
        shot submitting = early ? std::move(*early) : shot{w, "POST", "/v1/tasks", body};
        const auto submitted = submitting.answer();
        const auto deleted = deleting.answer();
        CAPTURE(submitted.body);
        CAPTURE(deleted.body);
        if (deleted.status / 100 != 2) { // the task was there before
            CHECK(deleted.status == 409);
            REQUIRE(submitted.status == 202);
            CHECK(state_of(w.ended(id_in(submitted))) == "succeeded");
            continue;
        }
        // Refused, or it had ended before the session went, and went with it.
        CHECK((submitted.status == 404 || submitted.status == 202));
        CHECK(w.call("GET", "/v1/sessions/" + session).status == 404);
        if (submitted.status == 202)
            CHECK(w.call("GET", "/v1/tasks/" + id_in(submitted)).status == 404);
    }
    check_gapless(w);
    w.check_model_content();
    CHECK_MESSAGE(w.stop_daemon(SIGTERM) == 0, w.log());
}
