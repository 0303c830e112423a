// supervisor: what a command may use, watched while it runs and named at its end.
//
// CPU time is watched here and not left to RLIMIT_CPU: most kernels count that by ticks, charging
// a whole one (4 ms at 250 Hz) to whoever runs when it comes, and send SIGXCPU by a count that was
// measured to be up to a sixth ahead of what the process has used. What is looked at here (cpu.stat
// of the leaf, else /proc/PID/stat) is the scheduler's exact sum, the same as in the bill: who was
// stopped for 1 s has used at least 1 s. The kernel's limit stands behind it, far enough away.
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

// The tree's CPU time grows by the number of processors at the most: so long it is not looked at.
void supervisor::watch_cpu(job_state& state, tree& processes)
{
    const bool bounded = most_.cpu.count() != 0 || account_ != nullptr;
    const auto now = clock::now();
    if (!bounded || now < cpu_check_)
        return;
    const auto used = processes.cpu();
    charge(used);
    auto left = microseconds::max();
    if (most_.cpu.count() != 0)
        left = most_.cpu - used;
    if (account_ != nullptr) {
        session_used_up_ = left.count() > 0 && account_->used_up();
        left = std::min(left, account_->left());
    }
    if (left.count() <= 0) {
        cpu_check_ = base::mono_time::max();
        state.cpu_used_up();
        return;
    }
    const auto processors = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
    // Nearly used up, it may wait for ever; and looking must not cost more than what is looked at.
    constexpr clock::duration least = std::chrono::milliseconds{100};
    constexpr clock::duration most = std::chrono::seconds{1};
    constexpr int share = 10;
    const auto looked = clock::now();
    const auto pause = std::clamp(share * (looked - now), least, most);
    cpu_check_ = looked + std::max<clock::duration>(left / processors, pause);
}

base::mono_time supervisor::next_cpu_check() const
{
    return cpu_check_ == base::mono_time{} ? base::mono_time::max() : cpu_check_;
}

// Into the session's account, whatever has come since the last time.
void supervisor::charge(microseconds used)
{
    if (account_ == nullptr || used <= charged_)
        return;
    account_->add(used - charged_);
    charged_ = used;
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
    if (into.how == ended::timeout && session_used_up_ && state.over_cpu())
        into.reason = account_->text();
    else if (into.how == ended::timeout && (state.over_cpu() || by_kernel))
        into.reason = fmt::format("used up its {} s of CPU time", most_.cpu.count());

    const bool too_large = most_.file_bytes != 0 && into.signal == SIGXFSZ;
    if (into.how == ended::completed && (too_large || output.over())) {
        into.how = ended::killed;
        into.by = stopped_by::disk;
    }
    if (into.how != ended::killed || into.by != stopped_by::disk)
        return;
    into.reason = output.over()
        ? fmt::format("wrote more than its {} bytes of output", most_.output_bytes)
        : fmt::format("wrote a file larger than its {} bytes", most_.file_bytes);
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
