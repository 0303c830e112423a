#include "jobs/children.hpp"

#include "jobs/procfs.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <string>

namespace agentd::jobs {
namespace {

// A mark: a bit that tells it from a real limit, the daemon's space, a number.
constexpr int mark_shift = 62;
constexpr std::uint64_t mark_bit = std::uint64_t{1} << mark_shift;
constexpr int space_shift = 32;
constexpr std::uint32_t space_bits = (1U << (mark_shift - space_shift)) - 1;
constexpr std::string_view variable_name = "AGENTD_MARK=";

// What all marks of one daemon begin with.
constexpr std::uint64_t prefix_of(std::uint32_t space)
{
    return mark_bit | (std::uint64_t{space & space_bits} << space_shift);
}

// A dead child's use; it stays a zombie unless `take`. False: it lives, or is no child of ours.
bool wait_for(pid_t pid, bool take, usage& used)
{
    siginfo_t info{};
    rusage of{};
    const int flags = WEXITED | WNOHANG | (take ? 0 : WNOWAIT);
    if (::syscall(SYS_waitid, P_PID, pid, &info, flags, &of) != 0 || info.si_pid != pid)
        return false;
    used = usage_of(of);
    return true;
}

} // namespace

usage usage_of(const rusage& from)
{
    using std::chrono::microseconds;
    using std::chrono::seconds;
    constexpr std::int64_t kib = 1024;
    usage used;
    used.cpu = seconds{from.ru_utime.tv_sec} + microseconds{from.ru_utime.tv_usec} +
        seconds{from.ru_stime.tv_sec} + microseconds{from.ru_stime.tv_usec};
    used.peak_bytes = from.ru_maxrss * kib;
    return used;
}

void usage::add(const usage& other)
{
    cpu += other.cpu;
    peak_bytes = std::max(peak_bytes, other.peak_bytes);
}

std::uint32_t mark_space(std::string_view identity)
{
    // FNV-1a: the same in every run, which std::hash need not be.
    std::uint32_t hash = 2166136261U;
    for (const char c : identity)
        hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    return hash & space_bits;
}

std::uint64_t mark_of(pid_t pid)
{
    rlimit64 limit{};
    if (::prlimit64(pid, RLIMIT_LOCKS, nullptr, &limit) != 0)
        return mark_from_limits(pid); // another user's: its limits can still be read as a text
    return is_mark(limit.rlim_cur) ? limit.rlim_cur : 0;
}

bool is_mark(std::uint64_t limit)
{
    return (limit >> mark_shift) == 1;
}

bool is_marked(pid_t pid, std::uint32_t space)
{
    return mark_of(pid) >> space_shift == prefix_of(space) >> space_shift;
}

bool is_mark_variable(std::string_view entry, std::uint32_t space)
{
    if (!entry.starts_with(variable_name))
        return false;
    entry.remove_prefix(variable_name.size());
    std::uint64_t mark = 0;
    std::from_chars(entry.data(), entry.data() + entry.size(), mark);
    return mark >> space_shift == prefix_of(space) >> space_shift;
}

// Raises the hard limit where that is needed and allowed.
bool marks_can_fit()
{
    rlimit64 now{};
    if (::prlimit64(0, RLIMIT_LOCKS, nullptr, &now) != 0)
        return false;
    if (now.rlim_max == RLIM64_INFINITY)
        return true;
    now.rlim_max = RLIM64_INFINITY;
    return ::prlimit64(0, RLIMIT_LOCKS, &now, nullptr) == 0;
}

children::children(std::uint32_t space, pid_t companion)
    : prefix_(prefix_of(space)),
      companion_(companion),
      marks_fit_(marks_can_fit()),
      own_list_(open_children_of_thread(::getpid(), ::getpid()))
{}

base::result<launched> children::launch(launch_plan plan)
{
    plan.mark = new_mark();
    std::string variable;
    if (!marks_fit_) {
        variable = std::string{variable_name} + std::to_string(plan.mark);
        plan.env.push_back(variable);
    }
    auto child = jobs::launch(plan); // without the lock: it may take as long as it likes
    const std::lock_guard hold{lock_};
    if (child) {
        child->variable = std::move(variable);
        leaders_.insert(child->id.pid);
    } else { // who has left its group may have been spared by a sweep while the mark was known
        used_.erase(plan.mark);
        kill_orphans_locked(plan.mark);
    }
    return child;
}

// Known before its first process is, whose orphans could otherwise be taken for leftovers.
std::uint64_t children::new_mark()
{
    const std::lock_guard hold{lock_};
    const auto mark = prefix_ | ++number_;
    used_.emplace(mark, usage{});
    return mark;
}

usage children::reap(const launched_id& leader, const std::function<void()>& collect)
{
    const std::lock_guard hold{lock_};
    collect();
    leaders_.erase(leader.pid);
    const auto entry = used_.extract(leader.mark);
    return entry ? entry.mapped() : usage{};
}

children::orphan_list children::orphans(std::uint64_t mark, std::string_view variable)
{
    const std::lock_guard hold{lock_};
    for (;;) {
        orphan_list found;
        bool reaped = false;
        for (const pid_t pid : list_locked()) {
            if (reap_if_dead_locked(pid)) {
                reaped = true;
                continue;
            }
            const auto carried = mark_of(pid);
            const auto named = carried == 0 ? has_variable(pid, variable) : false;
            if (carried == mark || named == true)
                found.pids.push_back(pid);
            else if (carried == 0) // its environment goes when it dies
                reaped = reap_if_dead_locked(pid) || reaped;
            found.complete = found.complete && named.has_value();
        }
        if (!reaped) // else its children came after the list was read
            return found;
    }
}

std::chrono::microseconds children::cpu_of_orphans(std::uint64_t mark) const
{
    const std::lock_guard hold{lock_};
    const auto entry = used_.find(mark);
    return entry == used_.end() ? std::chrono::microseconds{0} : entry->second.cpu;
}

void children::kill_orphans(std::uint64_t mark) const
{
    const std::lock_guard hold{lock_};
    kill_orphans_locked(mark);
}

void children::kill_orphans_locked(std::uint64_t mark) const
{
    for (const pid_t pid : list_locked())
        if (mark_of(pid) == mark)
            ::kill(pid, SIGKILL); // unreaped by us: the number cannot be another's
}

void children::sweep()
{
    const std::lock_guard hold{lock_};
    for (const pid_t pid : list_locked()) {
        if (reap_if_dead_locked(pid))
            continue;
        const auto carried = mark_of(pid);
        const bool ours = (carried & ~std::uint64_t{0xffffffff}) == prefix_;
        if (ours && !used_.contains(carried))
            ::kill(pid, SIGKILL); // ours and unreaped: the number cannot be another's
    }
}

std::size_t children::leaders() const
{
    const std::lock_guard hold{lock_};
    return leaders_.size();
}

std::vector<pid_t> children::list_locked() const
{
    // Orphans are given to the main thread; leaders are children of whatever thread made them.
    auto pids = read_children(own_list_.get());
    std::erase_if(pids, [this](pid_t pid) { return pid == companion_ || leaders_.contains(pid); });
    return pids;
}

bool children::reap_if_dead_locked(pid_t pid)
{
    usage used;
    if (!wait_for(pid, false, used))
        return false;
    const auto entry = used_.find(mark_of(pid)); // a zombie still has its limits
    if (entry != used_.end())
        entry->second.add(used);
    return wait_for(pid, true, used);
}

} // namespace agentd::jobs
