// Nothing is lost: a daemon under load is killed with SIGKILL at random moments and started
// again, many times; then everything that anybody was promised is there, once.
//
//   AGENTD_CRASH_ROUNDS  how many kills (200; 50 under ASan or with several threads)
//   AGENTD_CRASH_SEED    of the load and of the moments (printed)
//   AGENTD_CRASH_KEEP    a folder that gets the state and the log, if anything is wrong
#include "tests/support/harness/paths.hpp"
#include "tests/system/crash_check.hpp"
#include "tests/system/evidence.hpp"
#include "tests/system/tolerant_client.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>

using namespace agentd::testing;

namespace {

constexpr std::uint64_t usual_seed = 20240607;
constexpr int rounds_of_one_state = 100; // what the model remembers of requests is bounded
constexpr int calls_of_one_round = 6;
constexpr std::uint64_t most_events = 150; // in one life of the daemon
// A life is shorter than limits::suspect_pause: what this test does to the daemon, nobody would
// hold against a task that is tried alone after it.
constexpr std::chrono::milliseconds events_wait{400};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool slow_build = true;
#elif defined(__has_feature)
constexpr bool slow_build = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool slow_build = false;
#endif

std::uint64_t number_from(const char* name, std::uint64_t otherwise)
{
    const char* value = std::getenv(name); // NOLINT: tests set no environment
    return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

js::value lasting(std::string_view command)
{
    return use("background_run", {{"command", command}, {"timeout_s", 2}});
}

// Short commands and long ones, a reply that takes its time, requests that wait for jobs.
std::string busy_scenario()
{
    const js::object slow{{"reply", {{"between_ms", 2}, {"deltas", 8}}}};
    std::vector<js::value> steps{step({use("bash", {{"command", "echo one"}}),
                                     background("echo two"), background("sleep 0.03; echo three")}),
        step({say("One moment, this is a longer text, which comes in pieces."),
                 background("seq 200"), lasting("sleep 300")},
            slow),
        step({use("bash", {{"command", "sleep 0.01"}}), background("sleep 0.01")}),
        step({say("I wait.")}), step({use("wait_background", {{"timeout_s", 1}})}),
        step({say("Fine.")})};
    return scenario({interrupted("", std::move(steps))});
}

// By whom and how: killed from outside at any moment, or by a fail point at a delivery.
enum class delivery { is_whole, is_torn, is_whole_at_points };

struct moments {
    std::mt19937_64 roll;

    std::chrono::microseconds up_to(int ms)
    {
        return std::chrono::microseconds{
            std::uniform_int_distribution<std::int64_t>{0, ms * 1000}(roll)};
    }
    std::uint64_t number(std::uint64_t most)
    {
        return std::uniform_int_distribution<std::uint64_t>{0, most}(roll);
    }
    bool one_in(int n) { return std::uniform_int_distribution<int>{1, n}(roll) == 1; }
};

// So many more events: moments that do not depend on how fast the machine is.
void await_events(const crash_load& load, std::uint64_t more, std::chrono::milliseconds limit)
{
    const auto until = std::chrono::steady_clock::now() + limit;
    const auto enough = load.events_read() + more;
    while (load.events_read() < enough && std::chrono::steady_clock::now() < until)
        pass_time(std::chrono::microseconds{200});
}

// One life of the daemon, which ends at a moment that nobody has chosen.
void live_and_die(world& w, moments& when, crash_load& load)
{
    if (when.one_in(8)) { // perhaps before it is ready
        w.launch_daemon();
        pass_time(when.up_to(40));
    } else if (w.try_start_daemon()) {
        load.allow(calls_of_one_round);
        if (!when.one_in(4))
            await_events(load, when.number(most_events), events_wait);
        pass_time(when.up_to(when.one_in(3) ? 2 : 30));
    }
    w.kill_daemon();
}

void keep(const world& w)
{
    const char* folder = std::getenv("AGENTD_CRASH_KEEP"); // NOLINT: tests set no environment
    if (folder == nullptr)
        return;
    std::filesystem::create_directories(folder);
    write_file(std::string{folder} + "/agentd.log", w.log());
    write_file(std::string{folder} + "/agentd.db", read_file(w.state_folder() + "/agentd.db"));
}

// One life of a daemon that dies before a delivery is committed; if its deliveries are torn,
// between the halves of one.
void die_delivering(world& w, moments& when, crash_load& load, const char* daemon)
{
    w.change_daemon(daemon,
        {{"AGENTD_FAIL_POINT", "complete_reply:before:" + std::to_string(2 + when.number(8))}});
    if (w.try_start_daemon()) {
        load.allow(calls_of_one_round);
        static_cast<void>(w.daemon().wait(patience() / 10));
    }
    w.kill_daemon();
    w.change_daemon({}, {});
}

// `rounds` kills of one state, and what came of it.
crash_verdict crash(int rounds, std::uint64_t seed, delivery how = delivery::is_whole)
{
    const auto mark = std::to_string(seed) + "-" + std::to_string(std::random_device{}());
    crash_verdict verdict;
    {
        world w{{.scenario = busy_scenario(), .config = "wake_window_ms = 10\n", .start = false}};
        moments when{std::mt19937_64{seed}};
        crash_load load{{w.socket(), w.workspace(), mark, seed, how == delivery::is_whole}};
        for (int round = 0; round < rounds; ++round)
            how == delivery::is_whole
                ? live_and_die(w, when, load)
                : die_delivering(w, when, load,
                      how == delivery::is_torn ? torn_delivery_path : fail_points_path);
        w.start_daemon();
        load.finish_calls();
        verdict = judge(w, load.all());
        load.finish_reading(static_cast<std::int64_t>(verdict.events));
        for (auto& late : load.all().problems)
            if (std::ranges::find(verdict.problems, late) == verdict.problems.end())
                verdict.problems.push_back(late);
        CHECK(w.stop_daemon(SIGTERM) == 0);
        if (!verdict.problems.empty() && how != delivery::is_torn)
            keep(w);
    }
    for (auto& process : processes_marked(mark))
        verdict.problems.push_back("an orphan: " + process);
    return verdict;
}

} // namespace

TEST_CASE("crash: killed at random moments under load, everything promised is there, once")
{
    const bool fewer = slow_build || daemon_threads() > 1;
    const auto rounds = static_cast<int>(number_from("AGENTD_CRASH_ROUNDS", fewer ? 50 : 200));
    const auto seed = number_from("AGENTD_CRASH_SEED", usual_seed);
    crash_verdict sum;
    for (int done = 0; done < rounds; done += rounds_of_one_state) {
        const auto of = seed + static_cast<std::uint64_t>(done);
        const auto now = crash(std::min(rounds - done, rounds_of_one_state), of);
        for (const auto& problem : now.problems)
            FAIL_CHECK("seed " << of << ": " << problem);
        sum.tasks += now.tasks;
        sum.jobs += now.jobs;
        sum.lost_jobs += now.lost_jobs;
        sum.notifications += now.notifications;
        sum.messages += now.messages;
        sum.events += now.events;
        sum.kept_by_key += now.kept_by_key;
        sum.problems.insert(sum.problems.end(), now.problems.begin(), now.problems.end());
    }
    std::printf("crash: %d kills (seed %llu): %zu tasks, %zu jobs (%zu lost by a kill), "
                "%zu notifications, %zu messages, %zu events, %zu repeated calls: %zu problems\n",
        rounds, static_cast<unsigned long long>(seed), sum.tasks, sum.jobs, sum.lost_jobs,
        sum.notifications, sum.messages, sum.events, sum.kept_by_key, sum.problems.size());
    CHECK(sum.jobs > 0);
    CHECK(sum.messages > 0);
}

TEST_CASE("crash: delivery in a transaction of its own is found out")
{
    const auto is_loss = [](const std::string& problem) {
        return problem.starts_with("queued 1, delivered 0 times") ||
            problem.starts_with("in the history 2 times");
    };
    // A kill has to come between the two transactions: sooner or later one does.
    constexpr std::uint64_t most_tries = 20;
    bool found = false;
    for (std::uint64_t i = 0; i < most_tries && !found; ++i)
        found = std::ranges::any_of(crash(10, usual_seed + i, delivery::is_torn).problems, is_loss);
    CHECK(found);
    // The same deaths without the fault: it is the fault that was found, nothing else.
    for (const auto& problem : crash(10, usual_seed, delivery::is_whole_at_points).problems)
        FAIL_CHECK("a whole delivery: " << problem);
}
