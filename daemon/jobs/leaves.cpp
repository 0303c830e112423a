#include "jobs/leaves.hpp"

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "jobs/clone_child.hpp"
#include "jobs/group_folder.hpp"
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

constexpr std::size_t leaves_ahead = 16; // two replies' calls; more at once are made as they come
constexpr std::size_t leaves_few = 8;    // then the next are made
constexpr std::size_t used_batch = 8;    // removed at once: one wake-up of a thread
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

// How much of a leaf's name is that of its session's group; 0: it is in none.
std::size_t session_part(std::string_view name)
{
    const auto end = name.find('/');
    return end == name.npos ? 0 : end;
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

leaves::leaves(
    std::string setting, std::string_view identity, std::function<void()> wake, bounds together)
    : setting_(std::move(setting)),
      subtree_(subtree_name(identity)),
      wake_(std::move(wake)),
      together_(together)
{}

base::result<> leaves::open(pid_t companion)
{
    if (setting_ == "off") {
        means_.reason = "control groups are switched off (jobs.cgroup)";
        return {};
    }
    const bool configured = setting_ != "auto";
    const auto where = configured ? check_cgroup_place(setting_) : find_cgroup_place();
    auto settled =
        where ? settle(*where, companion) : base::result<>{std::unexpected(where.error())};
    if (settled)
        return {};
    folder_.reset();
    if (configured)
        return std::unexpected(base::error{settled.error().code,
            fmt::format("cannot use jobs.cgroup = {}: {}", setting_, settled.error().text)});
    means_.reason = std::move(settled.error().text);
    return {};
}

base::result<> leaves::settle(const cgroup_place& where, pid_t companion)
{
    const auto parent = open_folder(AT_FDCWD, where.folder);
    if (!parent)
        return std::unexpected(base::system_error("open " + where.folder, errno));
    const auto path = fmt::format("{}/{}", where.folder, subtree_);
    const auto ended = end_former_groups(path, milliseconds{0});
    if (!ended)
        return std::unexpected(ended.error());
    ended_former_ = *ended;
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
        [[maybe_unused]] const bool empty = empties_in_time(folder_.get()); // seen by what follows
    }
    folder_.reset();
    const int error = remove_group(AT_FDCWD, means_.path);
    if (error != 0)
        log::warning("jobs.cgroup", {}, "{}",
            base::system_error("remove the control group " + means_.path, error).text);
    return error == 0;
}

std::optional<leaf> leaves::take(const base::session_id& session)
{
    if (!folder_)
        return std::nullopt;
    const bool bounded = together_.memory_bytes != 0 || together_.processes != 0;
    auto taken = bounded && !session.empty() ? try_take_in(session) : try_take();
    if (taken)
        return std::optional<leaf>{std::move(*taken)};
    tell_failing(taken.error());
    return std::nullopt;
}

base::result<leaf> leaves::try_take()
{
    std::string name;
    bool made_ahead = false;
    bool wake = false;
    {
        const std::lock_guard hold{lock_};
        made_ahead = !ready_.empty();
        if (made_ahead) {
            name = std::move(ready_.back());
            ready_.pop_back();
        } else {
            name = next_name();
        }
        wake = ready_.size() <= leaves_few && !std::exchange(waking_, true);
    }
    if (wake && wake_)
        wake_();
    if (!made_ahead && ::mkdirat(folder_.get(), name.c_str(), 0755) != 0)
        return std::unexpected(base::system_error("make a control group", errno));
    return open_leaf(std::move(name));
}

base::result<leaf> leaves::open_leaf(std::string name)
{
    auto folder = open_folder(folder_.get(), name);
    base::unique_fd events;
    base::unique_fd killer;
    if (folder)
        events.reset(::openat(folder.get(), "cgroup.events", O_RDONLY | O_CLOEXEC));
    if (events)
        killer.reset(::openat(folder.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
    if (!killer) {
        auto failed = base::system_error("open a control group", errno);
        give_back(std::move(name));
        return std::unexpected(std::move(failed));
    }
    return leaf{*this, std::move(name), std::move(folder), std::move(events), std::move(killer)};
}

std::string leaves::next_name()
{
    return fmt::format("job-{}", ++number_);
}

// It may be so for every command from now on: one line now and then.
void leaves::tell_failing(const base::error& why)
{
    constexpr auto pause = std::chrono::seconds{10};
    {
        const std::lock_guard hold{lock_};
        const auto now = base::mono_now();
        if (told_ != base::mono_time{} && now - told_ < pause)
            return;
        told_ = now;
    }
    log::warning("jobs.cgroup", {}, "{}: commands are followed by their marks instead", why.text);
}

void leaves::refused(int error)
{
    tell_failing(base::system_error("start a command in its control group", error));
}

void leaves::give_back(std::string name)
{
    bool wake = false;
    {
        const std::lock_guard hold{lock_};
        used_.push_back(std::move(name));
        const bool soon = used_.size() % used_batch == 0 || session_part(used_.back()) != 0;
        wake = soon && !std::exchange(waking_, true);
    }
    if (wake && wake_)
        wake_();
}

void leaves::tend()
{
    std::vector<std::string> used;
    std::size_t wanted = 0;
    {
        const std::lock_guard hold{lock_};
        waking_ = false;
        used.swap(used_);
        wanted = leaves_ahead - std::min(leaves_ahead, ready_.size());
    }
    // What even KILL leaves in one keeps it: killed and tried again with the next ones.
    std::erase_if(used, [this](const auto& name) {
        const int error = remove_group(folder_.get(), name);
        if (error == EBUSY)
            write_group_file(folder_.get(), (name + "/cgroup.kill").c_str(), "1");
        else if (const auto end = session_part(name); end != 0) // refused while it has others
            ::unlinkat(folder_.get(), name.substr(0, end).c_str(), AT_REMOVEDIR);
        return error == 0;
    });
    std::vector<std::string> made;
    for (; wanted > 0; --wanted) {
        auto name = next_name();
        if (::mkdirat(folder_.get(), name.c_str(), 0755) != 0)
            break; // told when it matters: by take()
        made.push_back(std::move(name));
    }
    const std::lock_guard hold{lock_};
    std::ranges::move(used, std::back_inserter(used_));
    std::ranges::move(made, std::back_inserter(ready_));
}

} // namespace agentd::jobs
