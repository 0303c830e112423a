#include "jobs/environment.hpp"

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/slow_step.hpp"
#include "jobs/group_folder.hpp"
#include "jobs/run_lock.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

namespace agentd::jobs {
namespace {

using signals = boost::asio::basic_signal_set<aio::executor>;

// Asio's handler without restarting would interrupt blocking calls of all threads at each exit
// of a child, and it would be told of children that are only stopped.
void restart_system_calls()
{
    struct sigaction how{};
    if (::sigaction(SIGCHLD, nullptr, &how) != 0)
        return;
    how.sa_flags |= SA_RESTART | SA_NOCLDSTOP;
    ::sigaction(SIGCHLD, &how, nullptr);
}

aio::awaitable<> reap_orphans(aio::executor strand, children& all)
{
    signals ended{strand, SIGCHLD};
    restart_system_calls();
    for (;;) {
        all.sweep();
        co_await ended.async_wait(boost::asio::use_awaitable);
    }
}

struct groups_end {
    std::size_t ended = 0;
    std::vector<std::string> stuck;
    std::vector<base::error> refusals; // of those
};

// `until` then at the most. What could not be emptied before gets a moment alone.
groups_end end_groups(const run_remains& of, base::mono_time until)
{
    groups_end all;
    const auto end = [&all](const std::string& path, base::mono_time last) {
        // Whoever holds them is a child of a daemon that was killed: for a moment.
        const auto ended = end_former_groups(path, last, limits::former_end / 2);
        all.ended += ended.value_or(0);
        if (ended)
            return;
        all.stuck.push_back(path);
        all.refusals.push_back(ended.error());
    };
    if (!of.groups.empty())
        end(of.groups, until);
    for (const auto& path : of.stuck)
        if (path != of.groups)
            end(path, std::min(until, base::mono_now() + limits::stuck_death));
    return all;
}

} // namespace

base::result<> become_subreaper()
{
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL) != 0)
        return std::unexpected(base::system_error("become a subreaper", errno));
    return {};
}

std::size_t end_dead_run(const std::string& spool_folder)
{
    const auto began = base::mono_now();
    const auto what = run_record{spool_folder}.read().value_or(run_remains{});
    const auto groups = end_groups(what, began + limits::former_death);
    const former_run known{.shells = {}, .variables = {}, .stuck = what.processes};
    const auto search = end_former_commands(
        mark_space(identity_of(spool_folder)), known, 0, began + limits::former_end);
    return groups.ended + search.ended;
}

environment::environment(aio::executor executor, aio::blocking_pool& blocking_work, options with)
    : io(std::move(executor)),
      blocking(blocking_work),
      settings(std::move(with)),
      identity(identity_of(settings.spool.folder)),
      spool(io, settings.spool),
      job_places(io, settings.job_caps),
      command_places(io, settings.command_caps),
      accounts({settings.session_most.cpu, settings.session_wall,
          static_cast<std::uint64_t>(settings.session_most.output_bytes)}),
      children(mark_space(identity), settings.companion),
      leaves(
          settings.cgroup, identity,
          [this] { boost::asio::post(strand_, [this] { leaves_due_.ring(); }); },
          settings.session_most),
      record_(settings.spool.folder),
      strand_(aio::make_strand(io)),
      leaves_due_(strand_),
      looking_after_(strand_)
{}

base::result<> environment::open(const former_run& before)
{
    if (auto made = spool.open(); !made)
        return made;
    const auto ended = end_former(before);
    if (!ended)
        return std::unexpected(ended.error());
    if (*ended != 0)
        log::warning(
            "jobs.leftover", {}, "killed {} processes that an earlier run left behind", *ended);
    keep_record();
    open_ = true;
    tell_unenforced();
    if (!children.marks_fit())
        log::warning("jobs.marks", {},
            "the hard limit of file locks is too low to mark commands by it: one that clears its "
            "environment and leaves its parents is only found by a control group");
    looking_after_.spawn("orphans", reap_orphans(strand_, children));
    looking_after_.spawn("control groups", tend_leaves());
    looking_after_.spawn("old output", spool.settle());
    return {};
}

// Also finds the means of supervision.
base::result<std::size_t> environment::end_former(former_run known)
{
    const base::slow_step all{"ending what an earlier run has left"};
    const auto began = base::mono_now();
    const auto what = record_.read().value_or(run_remains{});
    groups_end groups;
    {
        const base::slow_step step{"emptying the control groups of an earlier run"};
        groups = end_groups(what, began + limits::former_death);
        for (const auto& why : groups.refusals)
            log::warning("jobs.leftover", {}, "{}", why.text);
        const former_groups before{.stuck = groups.stuck,
            .until =
                std::max(began + limits::former_death, base::mono_now() + limits::stuck_death)};
        if (auto settled = leaves.open(settings.companion, before); !settled)
            return std::unexpected(std::move(settled.error()));
    }
    known.stuck = what.processes;
    const base::slow_step step{"looking for processes of an earlier run"};
    auto search = end_former_commands(
        mark_space(identity), known, settings.companion, began + limits::former_end);
    if (!search.alive.empty())
        log::warning("jobs.leftover", {}, "{} processes that an earlier run left behind do not die",
            search.alive.size());
    groups.stuck.insert(groups.stuck.end(), leaves.stuck().begin(), leaves.stuck().end());
    const std::lock_guard hold{noting_};
    remains_ = {.groups = leaves.means().path,
        .stuck = std::move(groups.stuck),
        .processes = std::move(search.alive)};
    remains_changed_ = true;
    return groups.ended + leaves.ended_former() + search.ended;
}

void environment::note_given_up(const std::vector<pid_t>& processes)
{
    {
        const std::lock_guard hold{noting_};
        for (const pid_t pid : processes)
            if (const auto start = start_of(pid); start != 0)
                remains_.processes.push_back({pid, start, boot_id()});
        remains_changed_ = true;
    }
    boost::asio::post(strand_, [this] { leaves_due_.ring(); });
}

// What the next start has to know, if that is new. Of more than can be remembered the newest are.
void environment::keep_record()
{
    run_remains now;
    {
        const std::lock_guard hold{noting_};
        if (!std::exchange(remains_changed_, false))
            return;
        const auto cut = [](auto& all) {
            const auto extra = all.size() - std::min(all.size(), limits::run_record_items);
            all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(extra));
        };
        cut(remains_.stuck);
        cut(remains_.processes);
        now = remains_;
    }
    if (const auto noted = record_.write(now); !noted)
        log::warning("jobs.record", {}, "{}", noted.error().text);
}

bool environment::has_controller(std::string_view name) const
{
    const auto& there = leaves.means().controllers;
    return std::ranges::find(there, name) != there.end();
}

void environment::tell_unenforced() const
{
    const auto tell = [this](std::string_view key, std::string_view controller) {
        if (!has_controller(controller))
            log::warning("jobs.unenforced", {},
                "{} is not enforced: agentd has no control groups with the controller {}", key,
                controller);
    };
    if (settings.most.memory_bytes != 0)
        tell("jobs.memory_bytes", "memory");
    if (settings.most.processes != 0)
        tell("jobs.processes", "pids");
    if (settings.session_most.memory_bytes != 0)
        tell("jobs.session_memory_bytes", "memory");
    if (settings.session_most.processes != 0)
        tell("jobs.session_processes", "pids");
}

aio::awaitable<> environment::tend_leaves()
{
    for (;;) {
        co_await leaves_due_.wait_until();
        co_await aio::rethrow_if_cancelled();
        auto work = [this] {
            leaves.tend();
            keep_record();
            return true;
        };
        co_await blocking.run(std::move(work));
    }
}

void environment::kill_all() const
{
    leaves.kill_all();
    [[maybe_unused]] const auto ended =
        end_former_commands(mark_space(identity), {}, settings.companion);
}

aio::awaitable<> environment::close()
{
    auto stopping = stop_looking_after();
    co_await aio::on(strand_, std::move(stopping));
}

aio::awaitable<> environment::stop_looking_after()
{
    looking_after_.cancel();
    co_await looking_after_.join();
    children.sweep();
    const bool gone = leaves.close();
    if (open_)
        leave_record(gone);
}

// Nothing is left: there is no record. Else the next start finds in it what to try again.
void environment::leave_record(bool groups_gone)
{
    {
        const std::lock_guard hold{noting_};
        auto& [groups, stuck, processes] = remains_;
        if (groups_gone)
            groups.clear();
        std::erase_if(stuck, [](const std::string& path) {
            return end_former_groups(path, base::mono_now()).has_value();
        });
        std::erase_if(processes, [](const process_identity& one) {
            return !lives({.pid = static_cast<pid_t>(one.pid), .start = one.start});
        });
        if (groups.empty() && stuck.empty() && processes.empty()) {
            record_.remove();
            return;
        }
        log::warning("jobs.leftover", {},
            "{} processes and {} control groups of commands could not be ended: the next start "
            "tries again",
            processes.size(), stuck.size() + (groups.empty() ? 0 : 1));
        remains_changed_ = true;
    }
    keep_record();
}

} // namespace agentd::jobs
