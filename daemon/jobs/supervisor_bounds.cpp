// supervisor: what a command may use, watched while it runs and named at its end.
//
// CPU time is watched here and not left to RLIMIT_CPU: most kernels count that by ticks, charging
// a whole one (4 ms at 250 Hz) to whoever runs when it comes, and send SIGXCPU by a count that was
// measured to be up to a sixth ahead of what the process has used. What is looked at here (cpu.stat
// of the leaf, else /proc/PID/stat) is the scheduler's exact sum, the same as in the bill: who was
// stopped for 1 s has used at least 1 s. The kernel's limit stands behind it, far enough away.
#include "base/bound_limits.hpp"
#include "jobs/supervisor.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace agentd::jobs {

using std::chrono::microseconds;

bounds supervisor::held_here(const bounds& most) const
{
    bounds held;
    if (shared_.has_controller("memory"))
        held.memory_bytes = most.memory_bytes;
    if (shared_.has_controller("pids"))
        held.processes = most.processes;
    return held;
}

bool supervisor::needs_leaf() const
{
    const auto own = held_here(most_);
    const auto together = held_here(shared_.settings.session_most);
    return own.memory_bytes != 0 || own.processes != 0 || together.memory_bytes != 0 ||
        together.processes != 0;
}

std::optional<std::chrono::seconds> supervisor::kernel_cpu_limit() const
{
    if (most_.cpu.count() == 0)
        return std::nullopt;
    return most_.cpu + most_.cpu / 2 + std::chrono::seconds{2};
}

std::string supervisor::session_refusal(const base::session_id& session) const
{
    if (account_ != nullptr)
        return account_->text(account_->over());
    return shared_.accounts.bounds(session) ? "what its session has used is not known" : "";
}

bool supervisor::watches_cpu() const
{
    return most_.cpu.count() != 0 || (account_ != nullptr && account_->bounds_cpu());
}

void supervisor::watch_use(job_state& state, tree& processes)
{
    const auto now = clock::now();
    if (now < use_check_)
        return;
    session_use used;
    if (watches_cpu())
        used.cpu = processes.cpu();
    used.wall = std::chrono::duration_cast<std::chrono::milliseconds>(now - began_);
    charge(used);
    const bool own = most_.cpu.count() != 0 && used.cpu >= most_.cpu;
    if (!own && account_ != nullptr)
        session_short_of_ = account_->over_time();
    if (own || session_short_of_ != session_account::short_of::nothing) {
        use_check_ = base::mono_time::max();
        state.bound_met();
        return;
    }
    use_check_ = next_use_check(now, used.cpu);
}

// The tree's CPU time grows by the number of processors at the most, the session's wall time by
// the number of its commands: so long there is no look. What the session's other commands have
// used since they looked is not known: an account is asked once a second.
base::mono_time supervisor::next_use_check(base::mono_time looking, microseconds cpu) const
{
    auto next = base::mono_time::max();
    const auto looked = clock::now();
    const auto pause = std::clamp<clock::duration>(limits::use_check_part * (looked - looking),
        limits::use_check_least, limits::use_check_most);
    const auto after = [looked, pause, &next](clock::duration least) {
        next = std::min(next, looked + std::max(least, pause));
    };
    const auto processors = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
    if (most_.cpu.count() != 0)
        after((most_.cpu - cpu) / processors);
    if (account_ != nullptr && account_->bounds_cpu())
        after(std::min<clock::duration>(account_->cpu_left() / processors, limits::use_check_most));
    if (account_ != nullptr && account_->bounds_wall())
        after(std::min<clock::duration>(account_->wall_left() /
                static_cast<std::int64_t>(
                    shared_.settings.job_caps.per_session + limits::calls_at_once),
            limits::use_check_most));
    return next;
}

// Into the session's account, whatever has come since the last time.
void supervisor::charge(const session_use& used)
{
    if (account_ == nullptr)
        return;
    session_use more;
    more.cpu = std::max(used.cpu - charged_.cpu, microseconds{0});
    more.wall = std::max(used.wall - charged_.wall, std::chrono::milliseconds{0});
    account_->add(more);
    charged_.cpu += more.cpu;
    charged_.wall += more.wall;
}

// What was stopped by its bounds and not by anybody.
void supervisor::name_cause(const job_state& state, const pump& output, outcome& into) const
{
    if (into.oom && into.how == ended::completed && into.signal == SIGKILL) {
        into.how = ended::killed;
        into.by = stopped_by::memory;
        into.reason = out_of_memory_text();
    }
    const bool by_kernel = most_.cpu.count() != 0 && into.signal == SIGXCPU;
    if (into.how == ended::completed && by_kernel)
        into.how = ended::timeout;
    const bool by_session = session_short_of_ != session_account::short_of::nothing;
    if (into.how == ended::timeout && by_session && state.over_bound())
        into.reason = account_->text(session_short_of_);
    else if (into.how == ended::timeout && (state.over_bound() || by_kernel))
        into.reason = fmt::format("used up its {} s of CPU time", most_.cpu.count());

    const bool too_large = most_.file_bytes != 0 && into.signal == SIGXFSZ;
    if (into.how == ended::completed && (too_large || output.over())) {
        into.how = ended::killed;
        into.by = stopped_by::disk;
    }
    if (into.how != ended::killed || into.by != stopped_by::disk)
        return;
    if (output.over_session())
        into.reason = account_->text(session_account::short_of::output);
    else if (output.over())
        into.reason = fmt::format("wrote more than its {} bytes of output", most_.output_bytes);
    else
        into.reason = fmt::format("wrote a file larger than its {} bytes", most_.file_bytes);
}

std::string supervisor::out_of_memory_text() const
{
    switch (short_of_) {
    case group_bill::memory_of::command:
        return fmt::format("needed more than its {} bytes of memory", most_.memory_bytes);
    case group_bill::memory_of::session:
        return fmt::format("the session needed more than its {} bytes of memory",
            shared_.settings.session_most.memory_bytes);
    case group_bill::memory_of::machine: break;
    }
    return "the machine ran out of memory";
}

} // namespace agentd::jobs
