// Things that happen at the same time: many short rounds of each, and whatever came first, the
// outcome is one of those allowed and everybody was told the same. (Run under TSan, too.)
#include "tests/system/evidence.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>

using namespace agentd::testing;

namespace {

int rounds(int usual)
{
    return std::getenv("AGENTD_TEST_FULL") != nullptr ? 10 * usual : usual; // NOLINT
}

// A little of the daemon's time, different in each round: the next call comes at another moment.
void let_pass(world& w, int calls)
{
    for (int i = 0; i < calls; ++i)
        CHECK(w.call("GET", "/v1/health").status == 200);
}

// What holds after every race; a data race would end the daemon with another status.
void check_after(world& w, const std::vector<std::string>& tasks)
{
    check_ends(w, tasks);
    check_gapless(w);
    w.check_model_content();
    CHECK_MESSAGE(w.stop_daemon(SIGTERM) == 0, w.log());
}

// Of a session whose first task was cancelled before it was told.
js::value next()
{
    return interrupted("and then", {step({say("Then.")})});
}

// The next task of the session: shows that the session is whole.
std::string go_on(world& w, const std::string& task, std::vector<std::string>& tasks)
{
    const auto session = session_of(w, task);
    tasks.push_back(w.submit("and then", {{"session_id", session}}));
    const auto end = w.ended(tasks.back());
    CHECK_MESSAGE(state_of(end) == "succeeded", js::serialize(end));
    return session;
}

} // namespace

TEST_CASE("race: a cancel meets the end of its task: one of them wins, and the answer says which")
{
    world w{{.scenario = scenario({interrupted("quick", {step({say("Done.")})}), next()})}};
    std::vector<std::string> tasks;
    for (int round = 0; round < rounds(30); ++round) {
        tasks.push_back(w.submit("quick " + std::to_string(round)));
        const auto task = tasks.back();
        let_pass(w, round % 12);
        shot one{w, "POST", "/v1/tasks/" + task + "/cancel"};
        shot other{w, "POST", "/v1/tasks/" + task + "/cancel"};
        const int answers[] = {one.answer().status, other.answer().status};
        for (const int answer : answers)
            CHECK((answer == 200 || answer == 202));
        const bool accepted = answers[0] == 202 || answers[1] == 202;
        const auto end = w.ended(task);
        CHECK_MESSAGE(state_of(end) == (accepted ? "cancelled" : "succeeded"), js::serialize(end));
        static_cast<void>(go_on(w, task, tasks));
    }
    check_after(w, tasks);
}

TEST_CASE("race: a task is cancelled after each of its events; nothing of it goes on")
{
    world w{
        {.scenario = scenario({interrupted("work",
                                   {step({say("I begin."), use("bash", {{"command", "echo here"}}),
                                        background("echo there"), background("sleep 0.05")}),
                                       step({say("Fine.")})}),
             next()}),
            .config = "wake_window_ms = 10\n"}};
    std::vector<std::string> tasks;
    std::vector<std::string> sessions;
    for (int moment = 0; moment < 24 * rounds(1); ++moment) {
        tasks.push_back(w.submit("work " + std::to_string(moment)));
        const auto task = tasks.back();
        auto follower = w.connect();
        CHECK(follower.open_stream("/v1/events?after=0&follow=1&task_id=" + task).status == 200);
        for (int i = 0; i < moment % 24 && follower.next_line(patience()); ++i) {
        }
        const auto answer = w.call("POST", "/v1/tasks/" + task + "/cancel").status;
        const auto end = w.ended(task);
        CHECK_MESSAGE(
            state_of(end) == (answer == 202 ? "cancelled" : "succeeded"), js::serialize(end));
        for (const auto& job : jobs_in(w, session_of(w, task)))
            CHECK_MESSAGE(!job.at("ended_at").is_null(), js::serialize(job));
        sessions.push_back(go_on(w, task, tasks));
    }
    check_told_once(w, sessions);
    check_after(w, tasks);
}

TEST_CASE("race: a user's message meets the end of its task: seen by the model, or refused")
{
    world w{{.scenario = scenario({interrupted("talk", {step({say("Noted.")})})})}};
    std::vector<std::string> tasks;
    for (int round = 0; round < rounds(30); ++round) {
        const auto number = std::to_string(round);
        tasks.push_back(w.submit("talk " + number));
        const auto task = tasks.back();
        let_pass(w, round % 12);
        const std::string texts[] = {"first word " + number + ".", "second word " + number + "."};
        shot one{w, "POST", "/v1/tasks/" + task + "/messages", R"({"text":")" + texts[0] + "\"}"};
        shot other{w, "POST", "/v1/tasks/" + task + "/messages", R"({"text":")" + texts[1] + "\"}"};
        const int answers[] = {one.answer().status, other.answer().status};
        CHECK(state_of(w.ended(task)) == "succeeded");
        const auto told = conversation_of(w, session_of(w, task));
        for (int i = 0; i < 2; ++i) {
            CHECK((answers[i] == 202 || answers[i] == 409));
            CHECK_MESSAGE(count_of(told, texts[i]) == (answers[i] == 202 ? 1U : 0U), told);
            if (answers[i] == 202) // and answered by the model
                CHECK(told.rfind(R"("role":"assistant")") > told.find(texts[i]));
        }
    }
    check_after(w, tasks);
}

TEST_CASE("race: jobs end while turns and tasks end; each end is told once, however jobs_at_end")
{
    world w{{.scenario = scenario({interrupted("jobs",
                 {step({background("echo at once"), background("sleep 0.01"),
                      background("sleep 0.04; echo later")}),
                     step({say("I see.")})})}),
        .config = "wake_window_ms = 10\n"}};
    std::vector<std::string> tasks;
    std::vector<std::string> sessions;
    const char* modes[] = {"wait", "detach", "kill"};
    for (int round = 0; round < rounds(4); ++round) {
        std::vector<std::string> firsts;
        for (int i = 0; i < 6; ++i)
            firsts.push_back(w.submit("jobs " + std::to_string(round) + "." + std::to_string(i),
                {{"jobs_at_end", modes[i % 3]}}));
        for (const auto& task : firsts) {
            CHECK(state_of(w.ended(task)) == "succeeded");
            const auto session = go_on(w, task, tasks); // at once: some jobs live, some just end
            for (const auto& job : jobs_in(w, session))
                while (w.json(200, "GET", "/v1/jobs/" + std::string{job.at("id").as_string()})
                        .at("ended_at")
                        .is_null())
                    let_pass(w, 1);
            sessions.push_back(go_on(w, task, tasks));
            tasks.push_back(task);
        }
    }
    check_told_once(w, sessions);
    check_after(w, tasks);
}
