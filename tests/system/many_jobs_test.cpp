// Ten thousand short jobs, a hundred at a time: each is told of exactly once, and the daemon is
// afterwards what it was before: descriptors, zombies, threads, memory. Fewer where a sanitizer
// or a slow build makes everything slow, and there memory says nothing. With control groups where
// there are any; two thousand more without.
//
// Memory: the first half fills what stays filled (SQLite's page caches, the allocator's arenas,
// which give little back to the system and now and then need a little more for the same, and
// connections kept for later). The other 5,000 jobs may leave no more than 1 MiB, which is 210
// bytes for each: a leak of anything that is made for every job would be more.
#include "tests/system/evidence.hpp"
#include "tests/system/vitals.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>

using namespace agentd::testing;

namespace {

constexpr int quarters = 4;
constexpr int quarter = 2500;     // jobs
constexpr int replies = 5;        // of a session that ask for jobs
constexpr int jobs_of_reply = 16; // of each
constexpr int jobs_of_session = replies * jobs_of_reply;
constexpr long most_growth_kib = 1024;

bool is_quick()
{
    return patience() == std::chrono::minutes{1}; // scripts/test is more patient with slow builds
}

int sessions_of(int jobs)
{
    return jobs / jobs_of_session / (is_quick() ? 1 : 8) + 1;
}

std::string jobs_in_each_reply()
{
    std::vector<js::value> steps;
    for (int i = 0; i < replies; ++i)
        steps.push_back(step(std::vector<js::value>(jobs_of_reply, background("echo hi"))));
    steps.push_back(step({say("Done.")}));
    return scenario({interrupted("many", std::move(steps))});
}

std::vector<std::string> run_part(world& w, int number, int jobs)
{
    std::vector<std::string> tasks, sessions;
    for (int i = 0; i < sessions_of(jobs); ++i)
        tasks.push_back(w.submit("many " + std::to_string(number) + "." + std::to_string(i) + "."));
    for (const auto& task : tasks) {
        const auto end = w.ended(task);
        CHECK_MESSAGE(state_of(end) == "succeeded", js::serialize(end));
        sessions.emplace_back(end.at("session_id").as_string());
    }
    return sessions;
}

// Nothing of the jobs is left: at once for processes, soon for what sessions hold.
void check_rest(world& w, const open_files& before, std::size_t threads)
{
    const auto pid = w.daemon().pid();
    CHECK(children_of(pid).empty());
    const auto until = std::chrono::steady_clock::now() + patience();
    while (!more_open(before, open_of(pid)).empty() && std::chrono::steady_clock::now() < until)
        CHECK(w.call("GET", "/v1/health").status == 200);
    CHECK(more_open(before, open_of(pid)) == "");
    CHECK(threads_of(pid) == threads);
}

void check_all_told(world& w, const std::vector<std::string>& sessions)
{
    for (const auto& session : sessions)
        CHECK(jobs_in(w, session).size() == jobs_of_session);
    check_told_once(w, sessions);
}

} // namespace

TEST_CASE("many: 10,000 jobs, 100 at a time: each is told of once, and nothing is left of them")
{
    world w{{.scenario = jobs_in_each_reply(),
        .config = "wake_window_ms = 20\n[jobs]\nper_daemon = 100\n"}};
    const auto pid = w.daemon().pid();
    const auto fresh = anonymous_kib(pid);
    const auto began = std::chrono::steady_clock::now();
    auto sessions = run_part(w, 0, quarter);
    const auto before = open_of(pid);
    const auto threads = threads_of(pid);
    long filled = 0;
    for (int i = 1; i < quarters; ++i) {
        const auto more = run_part(w, i, quarter);
        sessions.insert(sessions.end(), more.begin(), more.end());
        check_rest(w, before, threads);
        filled = i + 1 == quarters / 2 ? anonymous_kib(pid) : filled;
        MESSAGE("after quarter ", i + 1, ": ", anonymous_kib(pid), " KiB");
    }
    const auto grown = anonymous_kib(pid) - filled;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    const auto jobs = sessions.size() * jobs_of_session;
    MESSAGE(jobs, " jobs in ", took.count(), " s; ", fresh, " KiB fresh, ", filled,
        " after half of them, grown by ", grown);
    if (is_quick())
        CHECK(grown < most_growth_kib);
    check_all_told(w, sessions);
    CHECK_MESSAGE(w.stop_daemon(SIGTERM) == 0, w.log());
}

TEST_CASE("many: 2,000 jobs without control groups: the same")
{
    world w{{.scenario = jobs_in_each_reply(),
        .config = "wake_window_ms = 20\n[jobs]\ncgroup = \"off\"\nper_daemon = 100\n"}};
    const auto pid = w.daemon().pid();
    auto sessions = run_part(w, 0, quarter / 10);
    const auto before = open_of(pid);
    const auto threads = threads_of(pid);
    const auto more = run_part(w, 1, 2000 - quarter / 10);
    sessions.insert(sessions.end(), more.begin(), more.end());
    check_rest(w, before, threads);
    check_all_told(w, sessions);
    CHECK_MESSAGE(w.stop_daemon(SIGTERM) == 0, w.log());
}
