#include "jobs/tree.hpp"

#include "base/clock.hpp"
#include "base/stdin_limits.hpp"
#include "jobs/procfs.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

namespace agentd::jobs {
namespace {

// A tree that dies or forks faster than this is not looked through in one go.
constexpr int most_passes = 100;

long signal_process(int pidfd, int number)
{
    return ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0U);
}

} // namespace

tree::tree(children& all, launched_id leader, std::string variable, const leaf* group)
    : all_(all), leader_(leader), variable_(std::move(variable)), group_(group)
{}

std::size_t tree::living() const
{
    return in_leaf_ + members_.size() + (settled_ ? 0 : 1);
}

// An exiting process is in no list any more a moment before its group knows that it is empty.
std::size_t tree::count_in_leaf(bool leader_lives) const
{
    constexpr int moments = 100;
    for (int i = 0;; ++i) {
        if (group_ == nullptr || (!leader_lives && !group_->populated()))
            return 0;
        const auto inside = processes_in(group_->fd());
        const auto leader = std::ranges::count(inside, leader_.pid);
        const auto others = inside.size() - static_cast<std::size_t>(leader);
        if (others != 0 || leader_lives)
            return others;
        if (i == moments)
            return 1; // somebody whom this namespace does not show
        ::sched_yield();
    }
}

void tree::look(bool leader_lives)
{
    corpses_.clear();
    in_leaf_ = count_in_leaf(leader_lives);
    if (in_leaf_ != 0) { // whoever has left it is looked for when it is empty
        members_.clear();
        settled_ = true;
        return;
    }
    const auto last = base::mono_now() + exec_patience;
    for (int pass = 0; pass < most_passes; ++pass) {
        look_once(leader_lives);
        if (settled_ || (hidden_ && base::mono_now() >= last))
            break;
        if (hidden_)
            ::sched_yield();
    }
    set_refusing_aside();
}

void tree::look_once(bool leader_lives)
{
    // Who was found once stays found until it has died, whatever it does to its marks.
    const auto dead = [](const member& one) { return has_died(one.pidfd.get()); };
    std::erase_if(members_, dead);
    settled_ = true;
    if (leader_lives)
        for (const pid_t pid : children_of(leader_.pid))
            add(pid, leader_.pid);
    const auto orphans = all_.orphans(leader_.mark, variable_);
    hidden_ = !orphans.complete;
    for (const pid_t pid : orphans.pids)
        add(pid, ::getpid());
    for (std::size_t i = 0; i < members_.size(); ++i) // grows meanwhile
        add_children_of(i);
    if (std::erase_if(members_, dead) != 0 || hidden_)
        settled_ = false;
}

std::vector<pid_t> tree::list(bool leader_lives) const
{
    if (group_ != nullptr)
        return processes_in(group_->fd());
    auto found = all_.orphans(leader_.mark, variable_).pids;
    if (leader_lives)
        found.push_back(leader_.pid);
    for (std::size_t i = 0; i < found.size() && found.size() <= limits::stall_processes; ++i)
        for (const pid_t child : children_of(found[i]))
            found.push_back(child);
    return found;
}

void tree::add_children_of(std::size_t index)
{
    const pid_t parent = members_[index].pid;
    const auto found = children_of(parent);
    if (has_died(members_[index].pidfd.get()))
        return; // the list may be that of another process with its number
    for (const pid_t pid : found)
        add(pid, parent);
}

void tree::add(pid_t pid, pid_t parent)
{
    const auto known = [pid](const member& one) { return one.pid == pid; };
    if (std::ranges::any_of(members_, known))
        return;
    base::unique_fd process = open_process(pid);
    // Unreaped, for its parent does not care: in one pass alone its children have become
    // orphans after those were listed; from then on it has none.
    if (process && has_died(process.get())) {
        if (std::ranges::find(corpses_, pid) == corpses_.end()) {
            corpses_.push_back(pid);
            settled_ = false;
        }
        return;
    }
    // Cases: it carries our mark: ours. Another one or none, but it hangs where it was found,
    // below a process of ours: it has set that limit itself. The same below this process: ours
    // if it has none (it was found by its environment), else another command's.
    const auto mark = process ? mark_of(pid) : 0;
    const bool hangs_there = process && parent_of(pid) == parent;
    const bool ours = mark == leader_.mark || (hangs_there && (mark == 0 || parent != ::getpid()));
    // What was read is about this process if that has been alive until now.
    if (!process || !ours || has_died(process.get())) {
        settled_ = false;
        return;
    }
    if (asked_ && group_ != nullptr && !group_->holds(pid)) { // hidden until now by who was in it
        signal_process(process.get(), SIGTERM);
        signal_process(process.get(), SIGCONT);
    }
    members_.emplace_back(pid, std::move(process));
}

// Those that are another user's are told apart: what cannot be signalled is not waited for.
void tree::set_refusing_aside()
{
    refused_.clear();
    std::erase_if(members_, [this](const member& one) {
        const bool refuses = signal_process(one.pidfd.get(), 0) != 0 && errno == EPERM;
        if (refuses)
            refused_.push_back(one.pid);
        return refuses;
    });
}

std::chrono::microseconds tree::cpu() const
{
    if (group_ != nullptr)
        return group_->cpu().value_or(std::chrono::microseconds{0});
    std::vector<std::pair<pid_t, pid_t>> open{{leader_.pid, ::getpid()}}; // with their parents
    for (const pid_t pid : all_.orphans(leader_.mark, variable_).pids)
        open.emplace_back(pid, ::getpid());
    auto sum = all_.cpu_of_orphans(leader_.mark);
    while (!open.empty()) {
        const auto [pid, parent] = open.back();
        open.pop_back();
        sum += cpu_of(pid, parent);
        for (const pid_t child : children_of(pid))
            open.emplace_back(child, pid);
    }
    return sum;
}

void tree::terminate()
{
    asked_ = true;
    send(SIGTERM, false);
    send(SIGCONT, false);
}

void tree::kill()
{
    const bool as_one = group_ == nullptr || group_->kill();
    // To everyone by itself as well: the group is one step, what forks meanwhile included, but
    // members need not be in it.
    const bool sent = send(SIGKILL, true);
    if (!sent || !settled_) // no pidfds here, or none now: for want of descriptors, say
        all_.kill_orphans(leader_.mark);
    if (!as_one)
        send_in_leaf(SIGKILL);
}

bool tree::send(int number, bool also_group)
{
    bool sent = true;
    ::kill(-leader_.pid, number);
    for (const auto& one : members_) {
        // A second TERM makes some programs give up on an orderly end.
        if (also_group || ::getpgid(one.pid) != leader_.pid)
            sent = (signal_process(one.pidfd.get(), number) == 0 || errno == ESRCH) && sent;
    }
    if (group_ != nullptr && number != SIGKILL)
        send_in_leaf(number);
    return sent;
}

// Who is not in the shell's group, one by one. Asked again for those who were born meanwhile:
// a process that forks before it gets its signal leaves a child that has none.
void tree::send_in_leaf(int number)
{
    constexpr int most_rounds = 5;
    std::vector<pid_t> told;
    for (int round = 0; round < most_rounds; ++round) {
        bool more = false;
        for (const pid_t pid : processes_in(group_->fd())) {
            if (std::ranges::find(told, pid) != told.end() || ::getpgid(pid) == leader_.pid)
                continue;
            const auto process = open_process(pid);
            // What is asked behind the pidfd is about its process, if that is alive then.
            if (!process || !group_->holds(pid) || has_died(process.get()))
                continue;
            signal_process(process.get(), number);
            told.push_back(pid);
            more = true;
        }
        if (!more)
            return;
    }
}

tree::sign tree::next_sign() const
{
    if (in_leaf_ != 0) {
        auto change = group_->watch();
        return {.fd = std::move(change.fd), .urgent = true, .given = !change.populated};
    }
    if (members_.empty())
        return {};
    const int pidfd = members_.front().pidfd.get();
    return {.fd = base::unique_fd{::fcntl(pidfd, F_DUPFD_CLOEXEC, 0)}};
}

} // namespace agentd::jobs
