// leaves: the beginning and the end of agentd's subtree.
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "jobs/clone_child.hpp"
#include "jobs/group_folder.hpp"
#include "jobs/leaves.hpp"
#include "jobs/run_record.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace agentd::jobs {
namespace {

using std::chrono::milliseconds;

constexpr const char* wanted_controllers[] = {"memory", "pids"};

// The daemon and its companion go into a group of their own below `folder`, if nobody else is
// there: a group with processes cannot hand on controllers.
void move_aside(int folder, pid_t companion)
{
    const auto here = words_of(read_group_file(folder, "cgroup.procs"));
    const std::array<std::string, 2> ours{std::to_string(::getpid()), std::to_string(companion)};
    const auto is_ours = [&ours](const auto& pid) {
        return std::ranges::find(ours, pid) != ours.end();
    };
    if (here.empty() || !std::ranges::all_of(here, is_ours))
        return;
    if (::mkdirat(folder, "main", 0755) != 0 && errno != EEXIST)
        return;
    if (const auto main = open_folder(folder, "main"))
        for (const auto& pid : here)
            write_group_file(main.get(), "cgroup.procs", pid);
}

// The first errno; 0: what is there is handed on.
int hand_on_controllers(int folder)
{
    int first = 0;
    const auto there = words_of(read_group_file(folder, "cgroup.controllers"));
    for (const std::string name : wanted_controllers)
        if (std::ranges::find(there, name) != there.end())
            if (const int error = write_group_file(folder, "cgroup.subtree_control", "+" + name);
                first == 0)
                first = error;
    return first;
}

// `refused`: why they could not be handed on, if they are there.
std::string missing_controllers(const std::vector<std::string>& there, int refused)
{
    std::vector<std::string_view> missing;
    for (const std::string_view name : wanted_controllers)
        if (std::ranges::find(there, name) == there.end())
            missing.push_back(name);
    if (missing.empty())
        return {};
    if (refused != 0)
        return fmt::format("not limited here: {}: {}", fmt::join(missing, ", "),
            base::system_error("hand on the controllers", refused).text);
    return fmt::format(
        "not limited here, for want of the controller: {}", fmt::join(missing, ", "));
}

} // namespace

base::result<> leaves::open(pid_t companion, const former_groups& before)
{
    if (setting_ == "off") {
        means_.reason = "control groups are switched off (jobs.cgroup)";
        return {};
    }
    const bool configured = setting_ != "auto";
    const auto where = configured ? check_cgroup_place(setting_) : find_cgroup_place();
    auto settled =
        where ? settle(*where, companion, before) : base::result<>{std::unexpected(where.error())};
    if (settled)
        return {};
    folder_.reset();
    if (configured)
        return std::unexpected(base::error{settled.error().code,
            fmt::format("cannot use jobs.cgroup = {}: {}", setting_, settled.error().text)});
    means_.reason = std::move(settled.error().text);
    return {};
}

// The name of the first of our groups in which nobody is left, after what former runs have left
// in it has been ended. Who does not die stays where he is, and his group is the next start's.
base::result<std::string> leaves::free_subtree(
    const std::string& folder, const former_groups& before)
{
    for (int number = 1; number <= most_subtrees; ++number) {
        auto name = subtree_name(identity_, number);
        const auto path = fmt::format("{}/{}", folder, name);
        if (std::ranges::find(before.stuck, path) != before.stuck.end())
            continue;
        const auto ended = end_former_groups(path, before.until);
        if (ended) {
            ended_former_ += *ended;
            return name;
        }
        if (!ended.error().is(std::errc::timed_out))
            return std::unexpected(ended.error());
        log::warning("jobs.leftover", {}, "{}", ended.error().text);
        stuck_.push_back(path);
    }
    return std::unexpected(base::system_error("empty any control group in " + folder, EBUSY));
}

base::result<> leaves::settle(
    const cgroup_place& where, pid_t companion, const former_groups& before)
{
    const auto parent = open_folder(AT_FDCWD, where.folder);
    if (!parent)
        return std::unexpected(base::system_error("open " + where.folder, errno));
    auto free = free_subtree(where.folder, before);
    if (!free)
        return std::unexpected(std::move(free.error()));
    subtree_ = std::move(*free);
    const auto path = fmt::format("{}/{}", where.folder, subtree_);
    if (where.own)
        move_aside(parent.get(), companion);
    const int refused = hand_on_controllers(parent.get());
    if (::mkdirat(parent.get(), subtree_.c_str(), 0755) != 0)
        return std::unexpected(base::system_error("make " + path, errno));
    folder_ = open_folder(parent.get(), subtree_);
    if (!folder_)
        return std::unexpected(base::system_error("open " + path, errno));
    if (auto ours = claim(folder_.get(), path, milliseconds{0}); !ours)
        return ours;
    killer_.reset(::openat(folder_.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
    hand_on_controllers(folder_.get());
    means_.path = path;
    if (auto born = try_birth(); !born) {
        [[maybe_unused]] const int left = remove_group(parent.get(), subtree_);
        means_.path.clear();
        return born;
    }
    means_.means = "cgroup";
    means_.controllers = words_of(read_group_file(folder_.get(), "cgroup.subtree_control"));
    means_.reason = missing_controllers(means_.controllers, refused);
    tend();
    return {};
}

// One process is born in a leaf and fails at once: whether all of it works on this machine.
base::result<> leaves::try_birth()
{
    const auto first = try_take();
    if (!first)
        return std::unexpected(first.error());
    child_orders none{}; // fails at its second step
    none.workdir_fd = -1;
    const auto born = clone_child(none, first->fd());
    if (born.pid < 0)
        return std::unexpected(
            base::system_error("start a process in a control group", born.error));
    const base::unique_fd pidfd{born.pidfd};
    while (::waitpid(born.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return {};
}

void leaves::kill_all() const
{
    if (killer_) [[maybe_unused]]
        const auto written = ::write(killer_.get(), "1", 1);
}

bool leaves::close()
{
    if (!folder_)
        return true;
    if (is_populated(folder_.get())) { // a command was given up
        kill_all();
        [[maybe_unused]] const bool empty = // seen by what follows
            empties(folder_.get(), base::mono_now() + limits::former_death);
    }
    folder_.reset();
    const int error = remove_group(AT_FDCWD, means_.path);
    if (error != 0)
        log::warning("jobs.cgroup", {}, "{}",
            base::system_error("remove the control group " + means_.path, error).text);
    return error == 0;
}

} // namespace agentd::jobs
