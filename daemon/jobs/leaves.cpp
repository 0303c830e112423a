#include "jobs/leaves.hpp"

#include "base/clock.hpp"
#include "base/log.hpp"
#include "jobs/group_folder.hpp"
#include "jobs/run_record.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace agentd::jobs {
namespace {

constexpr std::size_t leaves_ahead = 16; // two replies' calls; more at once are made as they come
constexpr std::size_t leaves_few = 8;    // then the next are made
constexpr std::size_t used_batch = 8;    // removed at once: one wake-up of a thread

// How much of a leaf's name is that of its session's group; 0: it is in none.
std::size_t session_part(std::string_view name)
{
    const auto end = name.find('/');
    return end == name.npos ? 0 : end;
}

} // namespace

leaves::leaves(
    std::string setting, std::string_view identity, std::function<void()> wake, bounds together)
    : setting_(std::move(setting)),
      identity_(identity),
      subtree_(subtree_name(identity)),
      wake_(std::move(wake)),
      together_(together)
{}

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
