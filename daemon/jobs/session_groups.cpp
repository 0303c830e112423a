// leaves: the group of a session, above the leaves of its commands. It is made with the first of
// them and removed with the last, so it may go at any moment until a leaf is in it.
#include "base/log.hpp"
#include "jobs/leaves.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace agentd::jobs {
namespace {

constexpr int most_tries = 10; // against a removal in between

bool is_gone(int error)
{
    return error == ENOENT || error == ENODEV;
}

base::error cannot_bound(const char* what, int error)
{
    return base::system_error(fmt::format("bound a session's {}", what), error);
}

} // namespace

bool leaves::has(std::string_view controller) const
{
    return std::ranges::find(means_.controllers, controller) != means_.controllers.end();
}

// Its group with its bounds, old or new.
base::result<base::unique_fd> leaves::session_group(const std::string& name)
{
    if (::mkdirat(folder_.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
        return std::unexpected(base::system_error("make a control group", errno));
    base::unique_fd group{
        ::openat(folder_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!group)
        return std::unexpected(base::system_error("open a control group", errno));
    const auto write = [&group](const char* file, const std::string& text) {
        return write_group_file(group.get(), file, text);
    };
    for (const auto& controller : means_.controllers)
        if (const int error = write("cgroup.subtree_control", "+" + controller); error != 0)
            return std::unexpected(base::system_error("hand on the controllers", error));
    if (together_.memory_bytes != 0 && has("memory")) {
        write("memory.swap.max", "0"); // there is none without swap
        if (const int error = write("memory.max", std::to_string(together_.memory_bytes));
            error != 0)
            return std::unexpected(cannot_bound("memory", error));
    }
    if (together_.processes != 0 && has("pids"))
        if (const int error = write("pids.max", std::to_string(together_.processes)); error != 0)
            return std::unexpected(cannot_bound("processes", error));
    return group;
}

base::result<leaf> leaves::try_take_in(const base::session_id& session)
{
    const auto group_name = "session-" + session.str();
    base::result<leaf> last = std::unexpected(base::system_error("make a control group", ENOENT));
    for (int i = 0; i < most_tries; ++i) {
        const auto group = session_group(group_name);
        if (!group) {
            if (!is_gone(group.error().code.value()))
                return std::unexpected(group.error());
            continue;
        }
        auto name = group_name + "/" + next_name();
        if (::mkdirat(folder_.get(), name.c_str(), 0755) != 0) {
            if (!is_gone(errno))
                return std::unexpected(base::system_error("make a control group", errno));
            continue;
        }
        auto made = open_leaf(std::move(name));
        if (made)
            made->join_session();
        return made;
    }
    return last;
}

} // namespace agentd::jobs
