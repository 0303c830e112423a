// Two hundred tasks at once, each with three jobs: all of them succeed, and afterwards nothing
// is left of them but what is written down.
#include "base/limits.hpp"
#include "tests/system/evidence.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <set>

using namespace agentd::testing;

namespace {

namespace fs = std::filesystem;

constexpr int tasks_at_once = 200;
// Connections to the model that may be kept for later.
constexpr auto kept_connections = static_cast<int>(agentd::limits::idle_connections);

// Runs `see(folder)` for each process there is.
template <class See>
void each_process(See see)
{
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator{"/proc", gone})
        if (std::isdigit(static_cast<unsigned char>(entry.path().filename().string().front())) != 0)
            see(entry.path().string());
}

// The children of a process, dead ones that nobody has waited for included.
std::vector<std::string> children_of(pid_t parent)
{
    std::vector<std::string> found;
    each_process([&](const std::string& folder) {
        const auto stat = read_file(folder + "/stat"); // PID (NAME) STATE PPID ...
        const auto name_end = stat.rfind(") ");
        if (name_end != std::string::npos &&
            stat.substr(name_end + 4).starts_with(std::to_string(parent) + " "))
            found.push_back(stat);
    });
    return found;
}

std::vector<std::string> processes_with(const std::string& marker)
{
    std::vector<std::string> found;
    each_process([&](const std::string& folder) {
        if (read_file(folder + "/environ").find(marker) != std::string::npos)
            found.push_back(read_file(folder + "/cmdline"));
    });
    return found;
}

// What the process has open, by kind: "socket", "pipe", "anon_inode:[pidfd]", paths of files.
std::map<std::string, int> open_of(pid_t pid)
{
    std::map<std::string, int> kinds;
    std::error_code denied;
    for (const auto& entry :
        fs::directory_iterator{"/proc/" + std::to_string(pid) + "/fd", denied}) {
        std::error_code closed;
        const auto what = fs::read_symlink(entry.path(), closed).string();
        const auto cut = what.starts_with("socket:") || what.starts_with("pipe:");
        if (!closed)
            ++kinds[cut ? what.substr(0, what.find(':')) : what];
    }
    return kinds;
}

std::string text_of(const std::map<std::string, int>& kinds)
{
    std::string all;
    for (const auto& [what, count] : kinds)
        all += what + " " + std::to_string(count) + "\n";
    return all;
}

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
    const auto more = [&before](const auto& now) { // than before, of any kind
        return std::ranges::any_of(now, [&before](const auto& one) {
            const auto found = before.find(one.first);
            const int kept = one.first == "socket" ? kept_connections : 0;
            return one.second > (found == before.end() ? 0 : found->second) + kept;
        });
    };
    while (more(open_of(pid)) && std::chrono::steady_clock::now() < until)
        CHECK(w.call("GET", "/v1/health").status == 200);
    CHECK_MESSAGE(!more(open_of(pid)), text_of(before) << "now:\n" << text_of(open_of(pid)));
    CHECK(names_in(w.state_folder()) == state_before);
    CHECK(names_in(w.workspace()) == work_before);
    CHECK_MESSAGE(w.stop_daemon(SIGTERM) == 0, w.log());
}
