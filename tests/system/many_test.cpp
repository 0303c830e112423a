// Two hundred tasks at once, each with three jobs: all of them succeed, and afterwards nothing
// is left of them but what is written down.
#include "tests/system/evidence.hpp"
#include "tests/system/vitals.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <set>

using namespace agentd::testing;

namespace {

namespace fs = std::filesystem;

constexpr int tasks_at_once = 200;
std::set<std::string> names_in(const std::string& folder)
{
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator{folder})
        names.insert(entry.path().filename().string());
    return names;
}

} // namespace

TEST_CASE("many: 200 tasks at once, each with three jobs: all succeed and nothing is left over")
{
    world w{{.scenario = scenario({interrupted("many",
                 {step({background("echo one"), background("sleep 0.2; echo two"),
                      background("echo three; exit 3")}),
                     step({say("Done.")})})}),
        .config = "wake_window_ms = 20\n"}};
    const std::string marker = "MANY_MARKER=" + w.folder();
    CHECK(state_of(w.ended(w.submit("many, to warm up"))) == "succeeded");
    const auto pid = w.daemon().pid();
    const auto before = open_of(pid);
    const auto state_before = names_in(w.state_folder());
    const auto work_before = names_in(w.workspace());

    std::vector<std::string> tasks;
    std::vector<std::string> sessions;
    for (int i = 0; i < tasks_at_once; ++i)
        tasks.push_back(
            w.submit("many " + std::to_string(i) + ".", {{"env", {{"MANY_MARKER", w.folder()}}}}));
    for (const auto& task : tasks) {
        const auto end = w.ended(task);
        CHECK_MESSAGE(state_of(end) == "succeeded", js::serialize(end));
        sessions.emplace_back(end.at("session_id").as_string());
        CHECK(jobs_in(w, sessions.back()).size() == 3);
    }
    check_told_once(w, sessions);
    check_ends(w, tasks);
    check_gapless(w);
    w.check_model_content();

    CHECK(children_of(pid).empty());
    CHECK(processes_with(marker).empty());
    const auto until = std::chrono::steady_clock::now() + patience();
    while (!more_open(before, open_of(pid)).empty() && std::chrono::steady_clock::now() < until)
        CHECK(w.call("GET", "/v1/health").status == 200);
    CHECK(more_open(before, open_of(pid)).empty());
    CHECK(names_in(w.state_folder()) == state_before);
    CHECK(names_in(w.workspace()) == work_before);
    CHECK_MESSAGE(w.stop_daemon(SIGTERM) == 0, w.log());
}
