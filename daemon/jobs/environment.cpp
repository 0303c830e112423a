#include "jobs/environment.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "jobs/group_folder.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

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

std::size_t end_recorded_groups(const std::string& path)
{
    // Whoever holds them is a child of a daemon that was killed: for a moment.
    const auto ended = end_former_groups(path, limits::lock_patience);
    if (!ended)
        log::warning("jobs.leftover", {}, "{}", ended.error().text);
    return ended.value_or(0);
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
    const auto groups = run_record{spool_folder}.read();
    const auto ended = groups && !groups->empty()
        ? end_former_groups(*groups, limits::former_death / 4).value_or(0)
        : 0;
    return ended + end_former_commands(mark_space(identity_of(spool_folder)));
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
    if (const auto noted = record_.write(leaves.means().path); !noted)
        log::warning("jobs.record", {}, "{}", noted.error().text);
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
base::result<std::size_t> environment::end_former(const former_run& before)
{
    const auto groups = record_.read();
    std::size_t ended = groups && !groups->empty() ? end_recorded_groups(*groups) : 0;
    if (auto settled = leaves.open(settings.companion); !settled)
        return std::unexpected(std::move(settled.error()));
    ended += leaves.ended_former();
    return ended + end_former_commands(mark_space(identity), before, settings.companion);
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
    if (open_ && gone)
        record_.remove();
}

} // namespace agentd::jobs
