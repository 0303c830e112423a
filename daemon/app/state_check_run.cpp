// state_check: who has the state now, and what the last run has left behind.
#include "app/errc.hpp"
#include "app/folders.hpp"
#include "app/state_check.hpp"
#include "base/unique_fd.hpp"
#include "jobs/run_lock.hpp"
#include "jobs/run_record.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>

namespace agentd::app {
namespace {

using proto::api::verdict;

// Whether anybody has locked the file, as the kernel shows it: asking by a lock of our own could
// get into the way of a daemon that starts. nullopt: it does not show it here.
// By the number of the file alone: the device that is shown need not be the one of stat(2).
std::optional<bool> is_locked(int file)
{
    struct stat is{};
    std::ifstream locks{"/proc/locks"};
    if (::fstat(file, &is) != 0 || !locks)
        return std::nullopt;
    const auto number = fmt::format(":{} ", is.st_ino);
    std::string line; // "1: FLOCK  ADVISORY  WRITE 4711 fe:01:131 0 EOF"
    while (std::getline(locks, line))
        if (line.find(" FLOCK ") != std::string::npos && line.find(number) != std::string::npos)
            return true;
    return false;
}

// Whether the control groups that a run has left still have processes.
bool has_processes(const std::string& groups)
{
    std::ifstream events{groups + "/cgroup.events"};
    std::string line;
    while (std::getline(events, line))
        if (line == "populated 1")
            return true;
    return false;
}

} // namespace

lock_state check_lock(const std::string& folder, findings& to)
{
    lock_state found;
    const auto path = state_lock(folder);
    const base::unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!file && errno == ENOENT) {
        to.push_back({"lock", verdict::note, "no daemon has used this folder yet", ""});
        return found;
    }
    if (!file) {
        found.readable = false;
        to.push_back({"lock", verdict::not_checked, base::system_error("open " + path, errno).text,
            "run this as the daemon's user, or as root"});
        return found;
    }
    const auto holder = jobs::holder_of(file.get());
    const auto locked = is_locked(file.get());
    if (jobs::lives(holder)) {
        found.held = true;
        to.push_back(
            {"lock", verdict::ok, fmt::format("a daemon runs: process {}", holder.pid), ""});
    } else if (locked.value_or(false)) {
        found.held = true;
        to.push_back({"lock", verdict::warning,
            fmt::format("held by what process {}, which has ended, has left behind", holder.pid),
            "a daemon cannot start before it is gone: `fuser -v " + path + "` shows it"});
    } else if (!locked) {
        found.readable = false;
        to.push_back({"lock", verdict::not_checked,
            "no daemon that signed it is alive; the kernel does not show whether it is held", ""});
    } else {
        to.push_back({"lock", verdict::ok, "free: no daemon runs with this folder", ""});
    }
    return found;
}

bool check_last_run(const std::string& folder, const lock_state& lock, findings& to)
{
    const auto path = folder + "/jobs.run";
    if (::access(path.c_str(), F_OK) != 0)
        return false;
    const auto remains = jobs::run_record{folder + "/jobs"}.read().value_or(jobs::run_remains{});
    const auto& groups = remains.groups;
    const bool known = !groups.empty();
    const auto undead = remains.stuck.size() + remains.processes.size();
    if (lock.held) {
        to.push_back({"last_run", verdict::ok,
            known ? "commands run in " + groups : "commands run without control groups", ""});
        return false;
    }
    const bool alive = known && has_processes(groups);
    to.push_back({"last_run", alive ? verdict::warning : verdict::note,
        fmt::format("the last daemon did not stop in order{}{}",
            alive ? ", and commands of it still run in " + groups : "",
            undead == 0 ? ""
                        : fmt::format("; it could not end {} processes and control groups of "
                                      "commands",
                              undead)),
        "start the daemon: it stops what is left and goes on with the tasks"});
    return true;
}

} // namespace agentd::app
