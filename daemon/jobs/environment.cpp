#include "jobs/environment.hpp"

#include "base/log.hpp"
#include "jobs/former.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

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

// One text for all ways to write a path, whether it is there yet or not.
std::string real_path(const std::string& folder)
{
    std::error_code failed;
    const auto real = std::filesystem::weakly_canonical(folder, failed);
    return failed ? folder : real.string();
}

} // namespace

base::result<> become_subreaper()
{
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL) != 0)
        return std::unexpected(base::system_error("become a subreaper", errno));
    return {};
}

environment::environment(aio::executor executor, aio::blocking_pool& blocking_work, options with)
    : io(std::move(executor)),
      blocking(blocking_work),
      settings(std::move(with)),
      spool(io, settings.spool),
      job_places(io, settings.job_caps),
      command_places(io, settings.command_caps),
      accounts(settings.session_most.cpu),
      children(mark_space(real_path(settings.spool.folder))),
      leaves(
          settings.cgroup, real_path(settings.spool.folder),
          [this] { boost::asio::post(strand_, [this] { leaves_due_.ring(); }); },
          settings.session_most),
      strand_(aio::make_strand(io)),
      leaves_due_(strand_),
      looking_after_(strand_)
{}

base::result<> environment::open()
{
    if (auto made = spool.open(); !made)
        return made;
    if (auto settled = leaves.open(); !settled)
        return settled;
    const auto ended =
        leaves.ended_former() + end_former_commands(mark_space(real_path(settings.spool.folder)));
    if (ended != 0)
        log::warning(
            "jobs.leftover", {}, "killed {} processes that an earlier run left behind", ended);
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
        end_former_commands(mark_space(real_path(settings.spool.folder)));
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
    leaves.close();
}

} // namespace agentd::jobs
