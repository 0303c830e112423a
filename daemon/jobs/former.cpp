#include "jobs/former.hpp"

#include "base/limits.hpp"
#include "base/unique_fd.hpp"
#include "jobs/children.hpp"

#include <dirent.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <memory>
#include <string_view>
#include <vector>

namespace agentd::jobs {
namespace {

struct folder_closer {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

std::vector<pid_t> all_processes()
{
    std::vector<pid_t> all;
    const std::unique_ptr<DIR, folder_closer> folder{::opendir("/proc")};
    while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
        const std::string_view name{entry->d_name};
        pid_t pid = 0;
        std::from_chars(name.data(), name.data() + name.size(), pid);
        if (pid > 0)
            all.push_back(pid);
    }
    return all;
}

// Kills the process if it carries a mark of `space`; a pidfd of it, or nothing.
base::unique_fd kill_if_marked(pid_t pid, std::uint32_t space)
{
    if (!is_marked(pid, space))
        return {};
    base::unique_fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    // Asked again behind the pidfd: the number may have passed to another process.
    if (!pidfd || !is_marked(pid, space))
        return {};
    if (::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) != 0)
        return {};
    return pidfd;
}

bool dies_in_time(const base::unique_fd& pidfd)
{
    pollfd end{pidfd.get(), POLLIN, 0};
    return ::poll(&end, 1, static_cast<int>(limits::former_death.count())) == 1;
}

} // namespace

std::size_t end_former_commands(std::uint32_t space)
{
    std::size_t ended = 0;
    // One that dies may have forked just before: looked at again until a pass finds nothing.
    for (std::size_t pass = 0; pass < limits::former_passes; ++pass) {
        std::vector<base::unique_fd> killed;
        for (const pid_t pid : all_processes()) {
            // This one, too, may carry the mark: started by a command of the run before.
            if (pid == ::getpid())
                continue;
            if (auto pidfd = kill_if_marked(pid, space))
                killed.push_back(std::move(pidfd));
        }
        if (killed.empty())
            break;
        for (const auto& pidfd : killed)
            ended += dies_in_time(pidfd) ? 1 : 0;
    }
    return ended;
}

} // namespace agentd::jobs
