#include "api/peer.hpp"

#include "base/unique_fd.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>

namespace agentd::api {
namespace {

constexpr std::size_t deepest_ancestry = 256; // a longer chain of processes is no client's
constexpr std::size_t proc_bytes = 4U << 20;  // more environment than exec takes

// A file of /proc; empty when it cannot be read.
std::string read_proc(const std::string& path)
{
    const base::unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    std::string text;
    std::array<char, 4096> piece; // NOLINT: filled by read
    while (file && text.size() < proc_bytes) {
        const auto got = ::read(file.get(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        text.append(piece.data(), static_cast<std::size_t>(got));
    }
    return text;
}

// 0: unknown.
pid_t parent_of(pid_t pid)
{
    const std::string text = read_proc(fmt::format("/proc/{}/stat", pid));
    // "PID (COMMAND) S PPID ...", and the command may hold parentheses itself.
    const auto close = text.rfind(')');
    if (close == std::string::npos || close + 4 >= text.size())
        return 0;
    pid_t parent = 0;
    const char* from = text.data() + close + 4;
    std::from_chars(from, text.data() + text.size(), parent);
    return parent;
}

bool descends_from(pid_t pid, pid_t ancestor)
{
    for (std::size_t steps = 0; pid > 1 && steps < deepest_ancestry; ++steps) {
        pid = parent_of(pid);
        if (pid == ancestor)
            return true;
    }
    return false;
}

bool has_job_ids(pid_t pid)
{
    const std::string all = read_proc(fmt::format("/proc/{}/environ", pid));
    std::string_view rest{all};
    while (!rest.empty()) {
        const auto entry = rest.substr(0, rest.find('\0'));
        if (entry.starts_with("AGENTD_SESSION_ID=") || entry.starts_with("AGENTD_TASK_ID=") ||
            entry.starts_with("AGENTD_JOB_ID="))
            return true;
        rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
    }
    return false;
}

} // namespace

base::result<peer> peer_of(int socket)
{
    ::ucred credentials{};
    ::socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        return std::unexpected(base::system_error("ask for the peer's credentials", errno));
    peer who{.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid, .groups = {}};
    // With a size of 0 the kernel says how much there is; no more than 64 Ki groups exist.
    size = 0;
    int failed = ::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, nullptr, &size);
    if (failed != 0 && errno == ERANGE) {
        who.groups.resize(size / sizeof(::gid_t));
        failed = ::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, who.groups.data(), &size);
        who.groups.resize(failed == 0 ? size / sizeof(::gid_t) : 0);
    }
    return who;
}

std::optional<session::caller> rights_of(const peer& who, const options& bounds)
{
    if (who.uid == bounds.own_uid || who.uid == 0)
        return session::caller{.uid = who.uid, .sees_all = true};
    if (!bounds.shared || !bounds.group)
        return std::nullopt;
    const bool member = who.gid == *bounds.group ||
        std::ranges::find(who.groups, *bounds.group) != who.groups.end();
    if (!member)
        return std::nullopt;
    return session::caller{.uid = who.uid, .sees_all = false};
}

bool is_from_job(pid_t pid, pid_t daemon)
{
    if (pid <= 0 || pid == daemon)
        return false;
    return descends_from(pid, daemon) || has_job_ids(pid);
}

} // namespace agentd::api
