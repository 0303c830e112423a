#include "jobs/former.hpp"

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/unique_fd.hpp"
#include "jobs/children.hpp"

#include <dirent.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <memory>
#include <string_view>

namespace agentd::jobs {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

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

bool send(const base::unique_fd& pidfd, int number)
{
    return ::syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0U) == 0;
}

// A shell of then that still lives.
struct shell {
    pid_t pid;
    base::unique_fd pidfd;
};

class search {
public:
    search(std::uint32_t space, const former_run& known, pid_t spare)
        : space_(space),
          known_(known),
          spare_(spare),
          reads_environments_(!known.variables.empty() || !marks_can_fit())
    {
        for (const auto& one : known.shells)
            add_shell(one);
    }

    std::size_t end_all()
    {
        // Those whom only their shell tells are found while it lives; it does nothing meanwhile.
        for (const auto& one : shells_)
            send(one.pidfd, SIGSTOP);
        std::size_t ended = end_others();
        std::vector<base::unique_fd> killed;
        for (auto& one : shells_)
            if (send(one.pidfd, SIGKILL))
                killed.push_back(std::move(one.pidfd));
        shells_.clear();
        ended += wait_for(killed);
        return ended + end_others();
    }

private:
    void add_shell(const process_identity& was)
    {
        const auto pid = static_cast<pid_t>(was.pid);
        if (pid <= 1 || was.start == 0 || was.boot_id != boot_id() || is_exempt(pid))
            return;
        auto pidfd = open_process(pid);
        // Asked behind the pidfd: it is about its process, if that is alive then.
        if (pidfd && start_of(pid) == was.start && !has_died(pidfd.get()))
            shells_.push_back({pid, std::move(pidfd)});
    }

    [[nodiscard]] bool is_exempt(pid_t pid) const
    {
        return pid == ::getpid() || pid == spare_ || pid == 1;
    }

    // One that dies may have forked just before: looked at again until a pass finds nothing.
    std::size_t end_others()
    {
        std::size_t ended = 0;
        for (std::size_t pass = 0; pass < limits::former_passes; ++pass) {
            std::vector<base::unique_fd> killed;
            for (const pid_t pid : all_processes())
                if (auto pidfd = kill_if_left(pid))
                    killed.push_back(std::move(pidfd));
            if (killed.empty())
                break;
            ended += wait_for(killed);
        }
        return ended;
    }

    // A pidfd of a process that was killed, or nothing.
    [[nodiscard]] base::unique_fd kill_if_left(pid_t pid) const
    {
        const auto is_it = [pid](const shell& one) { return one.pid == pid; };
        if (is_exempt(pid) || std::ranges::any_of(shells_, is_it) || !is_left(pid))
            return {};
        auto pidfd = open_process(pid);
        // Asked again behind the pidfd: the number may have passed to another process.
        if (!pidfd || !is_left(pid) || has_died(pidfd.get()) || !send(pidfd, SIGKILL))
            return {};
        return pidfd;
    }

    [[nodiscard]] bool is_left(pid_t pid) const
    {
        return is_marked(pid, space_) || hangs_on_shell(pid) ||
            (reads_environments_ && has_sign(variables_of(pid)));
    }

    [[nodiscard]] bool hangs_on_shell(pid_t pid) const
    {
        constexpr int highest = 100; // parents of parents
        for (const auto& one : shells_) {
            bool hangs = ::getsid(pid) == one.pid || ::getpgid(pid) == one.pid;
            pid_t above = pid;
            for (int i = 0; i < highest && !hangs && above > 1; ++i) {
                above = parent_of(above);
                hangs = above == one.pid;
            }
            if (hangs && !has_died(one.pidfd.get())) // else the number is another's
                return true;
        }
        return false;
    }

    [[nodiscard]] bool has_sign(const std::vector<std::string>& environment) const
    {
        return std::ranges::any_of(environment, [this](const std::string& entry) {
            return is_mark_variable(entry, space_) ||
                std::ranges::find(known_.variables, entry) != known_.variables.end();
        });
    }

    // How many of them are dead in time.
    std::size_t wait_for(const std::vector<base::unique_fd>& killed) const
    {
        return static_cast<std::size_t>(
            std::ranges::count_if(killed, [this](const base::unique_fd& pidfd) {
                const auto left = duration_cast<milliseconds>(last_ - base::mono_now()).count();
                pollfd end{pidfd.get(), POLLIN, 0};
                return ::poll(&end, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) == 1;
            }));
    }

    const std::uint32_t space_;
    const former_run& known_;
    const pid_t spare_;
    const bool reads_environments_;
    const base::mono_time last_ = base::mono_now() + limits::former_death;
    std::vector<shell> shells_;
};

} // namespace

std::size_t end_former_commands(std::uint32_t space, const former_run& known, pid_t spare)
{
    return search{space, known, spare}.end_all();
}

} // namespace agentd::jobs
