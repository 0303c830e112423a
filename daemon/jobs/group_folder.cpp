#include "jobs/group_folder.hpp"

#include "jobs/cgroup_place.hpp"
#include "jobs/leaf.hpp"
#include "jobs/run_lock.hpp"

#include <fmt/format.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace agentd::jobs {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

base::unique_fd open_folder(int at, const std::string& name)
{
    return base::unique_fd{::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
}

int remove_group(int at, const std::string& name)
{
    if (::unlinkat(at, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    const int refused = errno;
    auto folder = open_folder(at, name);
    DIR* const opened = folder ? ::fdopendir(folder.get()) : nullptr;
    if (opened == nullptr)
        return refused;
    const int inside = folder.release();
    const std::unique_ptr<DIR, int (*)(DIR*)> entries{opened, ::closedir};
    while (const dirent* entry = ::readdir(entries.get()))
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.') [[maybe_unused]]
            const int left = remove_group(inside, entry->d_name); // seen by what follows
    return ::unlinkat(at, name.c_str(), AT_REMOVEDIR) == 0 ? 0 : errno;
}

bool empties(int folder, base::mono_time until)
{
    const base::unique_fd events{::openat(folder, "cgroup.events", O_RDONLY | O_CLOEXEC)};
    while (is_populated(folder)) {
        const auto left = duration_cast<milliseconds>(until - base::mono_now()).count();
        if (left <= 0)
            return false;
        pollfd change{events.get(), POLLPRI, 0};
        char seen = 0;
        // Read before the question above is asked again: a change in between is not missed.
        if (::poll(&change, 1, static_cast<int>(left)) < 0 && errno != EINTR)
            return false;
        [[maybe_unused]] const auto n = ::pread(events.get(), &seen, 1, 0);
    }
    return true;
}

base::result<> claim(int folder, const std::string& name, milliseconds patience)
{
    const int error = lock_unsigned(folder, patience);
    if (error == 0)
        return {};
    if (error == EWOULDBLOCK)
        return std::unexpected(base::error{std::make_error_code(std::errc::device_or_resource_busy),
            fmt::format("another agentd uses {}", name)});
    return std::unexpected(base::system_error("lock " + name, error));
}

base::result<std::size_t> end_former_groups(
    const std::string& folder, base::mono_time until, milliseconds patience)
{
    const auto former = open_folder(AT_FDCWD, folder);
    if (!former)
        return 0;
    // Started by a command of the run before, agentd itself may be among them.
    const auto own = cgroup2_path(read_group_file(AT_FDCWD, "/proc/self/cgroup"));
    const auto name = folder.substr(folder.rfind('/')) + "/";
    if (own && (*own + "/").find(name) != own->npos)
        return std::unexpected(base::error{std::make_error_code(std::errc::device_or_resource_busy),
            "agentd itself runs in a control group that an earlier run has left"});
    // Whoever lives there is left over if no daemon holds the group.
    if (auto ours = claim(former.get(), folder, patience); !ours)
        return std::unexpected(std::move(ours.error()));
    std::size_t ended = 0;
    if (is_populated(former.get())) {
        ended = processes_in(former.get()).size();
        if (const int error = write_group_file(former.get(), "cgroup.kill", "1"); error != 0)
            return std::unexpected(base::system_error("kill what is left in " + folder, error));
        if (!empties(former.get(), until))
            return std::unexpected(base::system_error("end what is left in " + folder, ETIMEDOUT));
    }
    if (const int error = remove_group(AT_FDCWD, folder); error != 0)
        return std::unexpected(base::system_error("remove " + folder, error));
    return ended;
}

} // namespace agentd::jobs
