#include "jobs/tree.hpp"

#include "jobs/procfs.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace agentd::jobs {
namespace {

base::unique_fd open_process(pid_t pid)
{
    return base::unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U))};
}

long signal_process(int pidfd, int number)
{
    return ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0U);
}

bool has_died(int pidfd)
{
    pollfd about{.fd = pidfd, .events = POLLIN, .revents = 0};
    return ::poll(&about, 1, 0) == 1;
}

} // namespace

tree::tree(children& all, launched_id leader, std::string variable)
    : all_(all), leader_(leader), variable_(std::move(variable))
{}

void tree::look(bool leader_lives)
{
    members_.clear();
    refused_.clear();
    if (leader_lives)
        for (const pid_t pid : children_of(leader_.pid))
            add(pid, leader_.pid);
    for (const pid_t pid : all_.orphans(leader_.mark, variable_))
        add(pid, ::getpid());
    // The list grows while it is read: each one's children are looked for in turn.
    for (std::size_t i = 0; i < members_.size(); ++i) {
        const pid_t parent = members_[i].pid;
        for (const pid_t pid : children_of(parent))
            add(pid, parent);
    }
    std::erase_if(members_, [this](const member& one) {
        const bool refuses = signal_process(one.pidfd.get(), 0) != 0 && errno == EPERM;
        if (refuses)
            refused_.push_back(one.pid);
        return refuses;
    });
}

void tree::add(pid_t pid, pid_t parent)
{
    const auto known = [pid](const member& one) { return one.pid == pid; };
    if (std::ranges::any_of(members_, known))
        return;
    base::unique_fd process = open_process(pid);
    if (!process)
        return; // gone
    // Cases: it carries our mark: ours. Another command's: the number was recycled. None (it
    // has set that limit itself): ours if it still hangs where it was found.
    const auto mark = mark_of(pid);
    const bool ours = mark == leader_.mark || (mark == 0 && parent_of(pid) == parent);
    // What was read is about this process if that has been alive until now.
    if (ours && !has_died(process.get()))
        members_.emplace_back(pid, std::move(process));
}

void tree::terminate()
{
    send(SIGTERM, false);
    send(SIGCONT, false);
}

void tree::kill()
{
    // To everyone by itself as well: the group is one step, what forks meanwhile included, but
    // members need not be in it.
    send(SIGKILL, true);
}

void tree::send(int number, bool also_group)
{
    ::kill(-leader_.pid, number);
    for (const auto& one : members_) {
        // A second TERM makes some programs give up on an orderly end.
        if (also_group || ::getpgid(one.pid) != leader_.pid)
            signal_process(one.pidfd.get(), number);
    }
}

int tree::some_member() const
{
    return members_.empty() ? -1 : members_.front().pidfd.get();
}

} // namespace agentd::jobs
