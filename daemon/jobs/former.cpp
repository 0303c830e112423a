#include "jobs/former.hpp"

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
#include <unordered_map>
#include <unordered_set>

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

using process_table = std::unordered_map<pid_t, base::unique_fd>; // with their pidfds

class former_search {
public:
    former_search(std::uint32_t space, const former_run& known, pid_t spare, base::mono_time until)
        : space_(space),
          variables_(known.variables.begin(), known.variables.end()),
          spare_(spare),
          reads_environments_(!known.variables.empty() || !marks_can_fit()),
          until_(until)
    {
        for (const auto& one : known.shells)
            add_shell(one);
        for (const auto& one : known.stuck)
            if (add_shell(one))
                stuck_.insert(static_cast<pid_t>(one.pid));
    }

    former_end end_all()
    {
        // Those whom only their shell tells are found while it lives; it does nothing meanwhile.
        for (const auto& [pid, pidfd] : shells_)
            send(pidfd, SIGSTOP);
        end_others();
        for (auto& [pid, pidfd] : shells_)
            if (send(pidfd, SIGKILL))
                dying_.insert_or_assign(pid, std::move(pidfd));
        shells_.clear();
        wait_for_dying(limits::former_round);
        end_others();
        wait_for_dying(limits::former_end);
        former_end all{.ended = ended_, .alive = {}};
        for (const auto& [pid, pidfd] : dying_)
            all.alive.push_back({pid, start_of(pid), boot_id()});
        return all;
    }

private:
    // False: it is gone.
    bool add_shell(const process_identity& was)
    {
        const auto pid = static_cast<pid_t>(was.pid);
        if (pid <= 1 || was.start == 0 || was.boot_id != boot_id() || is_exempt(pid))
            return false;
        auto pidfd = open_process(pid);
        // Asked behind the pidfd: it is about its process, if that is alive then.
        if (!pidfd || start_of(pid) != was.start || has_died(pidfd.get()))
            return false;
        shells_.insert_or_assign(pid, std::move(pidfd));
        return true;
    }

    [[nodiscard]] bool is_exempt(pid_t pid) const
    {
        return pid == ::getpid() || pid == spare_ || pid == 1;
    }

    // One that dies may have forked just before: looked at again until a pass finds nothing new.
    // The first pass is made even if there is no time left.
    void end_others()
    {
        for (std::size_t pass = 0; pass < limits::former_passes; ++pass) {
            if ((pass != 0 && base::mono_now() >= until_) || !kill_who_is_left())
                return;
            wait_for_dying(limits::former_round);
        }
    }

    // False: there is nobody new.
    bool kill_who_is_left()
    {
        const auto all = all_processes();
        std::unordered_map<pid_t, pid_t> parents; // read once, however many climb them
        if (!shells_.empty())
            for (const pid_t pid : all)
                parents.emplace(pid, parent_of(pid));
        const auto parent = [&parents](pid_t pid) {
            const auto entry = parents.find(pid);
            return entry == parents.end() ? 0 : entry->second;
        };
        bool found = false;
        for (const pid_t pid : all)
            if (!is_exempt(pid) && !lives_in(dying_, pid) && !shells_.contains(pid) &&
                is_left(pid, parent))
                found = kill_if_left(pid) || found;
        return found;
    }

    bool kill_if_left(pid_t pid)
    {
        auto pidfd = open_process(pid);
        // Asked again behind the pidfd: the number may have passed to another process.
        if (!pidfd || !is_left(pid, parent_of) || has_died(pidfd.get()) || !send(pidfd, SIGKILL))
            return false;
        dying_.insert_or_assign(pid, std::move(pidfd));
        return true;
    }

    template <class Parent>
    [[nodiscard]] bool is_left(pid_t pid, Parent parent) const
    {
        return is_marked(pid, space_) || hangs_on_shell(pid, parent) ||
            (reads_environments_ && has_sign(variables_of(pid)));
    }

    template <class Parent>
    [[nodiscard]] bool hangs_on_shell(pid_t pid, Parent parent) const
    {
        constexpr int highest = 100; // parents of parents
        if (shells_.empty())
            return false;
        if (lives_in(shells_, ::getsid(pid)) || lives_in(shells_, ::getpgid(pid)))
            return true;
        pid_t above = parent(pid);
        for (int i = 0; i < highest && above > 1; ++i) {
            if (lives_in(shells_, above))
                return true;
            above = parent(above);
        }
        return false;
    }

    // Dead ones are not meant: their number may be another's.
    [[nodiscard]] static bool lives_in(const process_table& all, pid_t pid)
    {
        const auto entry = all.find(pid);
        return entry != all.end() && !has_died(entry->second.get());
    }

    [[nodiscard]] bool has_sign(const std::vector<std::string>& environment) const
    {
        return std::ranges::any_of(environment, [this](const std::string& entry) {
            return is_mark_variable(entry, space_) || variables_.contains(entry);
        });
    }

    // For so long, and not beyond `until_`: somebody who does not die keeps no one from being
    // looked for.
    void wait_for_dying(milliseconds most)
    {
        const bool hope = std::ranges::any_of(
            dying_, [this](const auto& one) { return !stuck_.contains(one.first); });
        const auto last =
            std::min(until_, base::mono_now() + (hope ? most : milliseconds{limits::stuck_death}));
        ended_ += std::erase_if(dying_, [last](const auto& one) {
            const auto left = duration_cast<milliseconds>(last - base::mono_now()).count();
            pollfd end{one.second.get(), POLLIN, 0};
            return ::poll(&end, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) == 1;
        });
    }

    const std::uint32_t space_;
    const std::unordered_set<std::string> variables_;
    const pid_t spare_;
    const bool reads_environments_;
    const base::mono_time until_;
    process_table shells_;            // of then, still alive
    process_table dying_;             // were killed
    std::unordered_set<pid_t> stuck_; // have been before
    std::size_t ended_ = 0;
};

} // namespace

former_end end_former_commands(
    std::uint32_t space, const former_run& known, pid_t spare, base::mono_time until)
{
    return former_search{space, known, spare, until}.end_all();
}

} // namespace agentd::jobs
