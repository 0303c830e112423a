// The daemon is killed at any moment of fifty jobs, again and again: after the next start nobody
// of them lives (judged by the observer, see observer.hpp), and each has one end, told once. And
// without any start: its watcher ends them.
// AGENTD_TEST_KILLS is how often for each of the means (100 by hand).
#include "tests/system/evidence.hpp"
#include "tests/system/observer.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <map>

using namespace agentd::testing;
using namespace std::chrono_literals;

namespace {

constexpr int jobs_at_once = 50;

int kills()
{
    const char* asked = std::getenv("AGENTD_TEST_KILLS"); // NOLINT: tests set no environment
    const bool slow = patience() > 60s;                   // under sanitizers
    return asked != nullptr ? std::max(1, std::atoi(asked)) : slow ? 3 : 20; // NOLINT: ours
}

// Ten replies of five jobs each: the daemon is killed while they are started, run and end.
std::string many_jobs()
{
    const char* shapes[] = {"sleep 300", "setsid sleep 300 & sleep 0.1",
        "(env -i setsid sleep 300 &); exec sleep 0.2", "trap '' TERM; sleep 300 & sleep 300",
        "echo out; exit 3"};
    std::vector<js::value> steps;
    for (int i = 0; i < jobs_at_once; i += 5) {
        std::vector<js::value> calls;
        for (const auto* shape : shapes)
            calls.push_back(background(shape));
        steps.push_back(step(std::move(calls)));
    }
    steps.push_back(step({say("Done.")}));
    return scenario({interrupted("many", std::move(steps))});
}

constexpr const char* config = "grace_s = 0\nper_session = 60\nper_daemon = 60\n";

// Goes on when so many jobs of the task have begun; what came first is part of the moment.
void await_jobs(world& w, const std::string& task, int begun)
{
    auto reader = w.connect();
    REQUIRE(reader.open_stream("/v1/events?after=0&follow=1&task_id=" + task).status == 200);
    while (begun > 0) {
        const auto line = reader.next_line(patience());
        REQUIRE(line);
        begun -= line->find("\"job.started\"") != line->npos ? 1 : 0;
    }
}

void check_one_end_each(world& w, const std::vector<std::string>& sessions)
{
    std::map<std::string, int> finished;
    for (const auto& event : w.events("&types=job.finished"))
        ++finished[std::string{event.at("job_id").as_string()}];
    for (const auto& session : sessions)
        for (const auto& job : jobs_in(w, session)) {
            CHECK_MESSAGE(!job.at("ended_at").is_null(), js::serialize(job));
            CHECK_MESSAGE(finished[std::string{job.at("id").as_string()}] == 1, js::serialize(job));
        }
}

// One kill and the next start; the session.
std::string kill_amid(world& w, const census& nobody, int round)
{
    const auto task = w.submit("many " + std::to_string(round));
    const auto session = session_of(w, task);
    await_jobs(w, task, 1 + round * 7 % jobs_at_once);
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    w.start_daemon();
    // The task goes on; without it and the jobs that it starts now nobody is left.
    const auto answer = w.call("POST", "/v1/tasks/" + task + "/cancel").status;
    CHECK((answer == 200 || answer == 202));
    w.ended(task);
    const auto rest = difference_when_reaped(nobody, w.daemon().pid());
    CHECK_MESSAGE(rest.empty(), rest);
    return session;
}

} // namespace

TEST_CASE("kills: amid fifty jobs, nobody is left after the start and each job has one end")
{
    inside([] {
        with_each_means(many_jobs(), config, [](world& w, const census& before) {
            const auto nobody = without(before, w.daemon().pid());
            std::vector<std::string> sessions;
            for (int round = 0; round < kills(); ++round) {
                CAPTURE(round);
                sessions.push_back(kill_amid(w, nobody, round));
            }
            check_one_end_each(w, sessions);
            check_gapless(w);
        });
    });
}

TEST_CASE("kills: the watcher ends what a killed daemon has left, without any start")
{
    inside([] {
        with_each_means(many_jobs(), config, [](world& w, const census& before) {
            const auto nobody = without(before, w.daemon().pid());
            const auto task = w.submit("many");
            await_jobs(w, task, jobs_at_once);
            CHECK(everybody().size() > before.size());
            CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
            const auto began = std::chrono::steady_clock::now();
            const auto rest = difference_when_reaped(nobody);
            CHECK_MESSAGE(rest.empty(), rest); // the watcher is not there either
            const auto took = std::chrono::steady_clock::now() - began;
            MESSAGE("gone after ",
                std::chrono::duration_cast<std::chrono::milliseconds>(took).count(), " ms");
            CHECK(took < 20s);
            w.start_daemon();
            const auto log = w.log();
            w.call("POST", "/v1/tasks/" + task + "/cancel");
            w.ended(task);
            CHECK_MESSAGE(log.find("jobs.leftover") == log.npos, log);
        });
    });
}

TEST_CASE("kills: the watcher goes with a daemon that stops in order")
{
    inside([] {
        with_each_means(many_jobs(), config, [](world& w, const census& before) {
            const int watcher = watcher_of(w.daemon().pid());
            CHECK(watcher != 0);
            CHECK(w.json(200, "GET", "/v1/info").at("supervision").at("watcher").as_bool());
            const auto nobody = without(before, w.daemon().pid());
            CHECK(w.stop_daemon(SIGTERM) == 0);
            const auto rest = difference(nobody, everybody()); // at once
            CHECK_MESSAGE(rest.empty(), rest);
            w.start_daemon();
            CHECK(watcher_of(w.daemon().pid()) != 0);
        });
    });
}
