#include "api/listener.hpp"

#include "base/limits.hpp"
#include "base/slow_step.hpp"
#include "jobs/run_lock.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <expected>
#include <system_error>

namespace agentd::api {
namespace {

constexpr int backlog = 4096; // the kernel cuts it to net.core.somaxconn

base::error cannot(const std::string& path, int number)
{
    return {errc::cannot_listen,
        fmt::format("cannot listen at {}: {}", path, std::generic_category().message(number))};
}

base::result<::sockaddr_un> address_of(const std::string& path)
{
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return std::unexpected(base::error{errc::cannot_listen,
            fmt::format("cannot listen at {}: a socket's path has 1 to {} bytes", path,
                sizeof address.sun_path - 1)});
    path.copy(address.sun_path, path.size());
    return address;
}

const ::sockaddr* generic(const ::sockaddr_un& address)
{
    return reinterpret_cast<const ::sockaddr*>(&address); // NOLINT: the socket API's way
}

base::result<base::unique_fd> lock_beside(const std::string& path)
{
    const std::string name = path + ".lock";
    base::unique_fd lock{::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!lock)
        return std::unexpected(cannot(name, errno));
    const base::slow_step step{"waiting for the lock of the socket"};
    if (const int error = jobs::lock_file(lock.get(), limits::lock_patience); error != 0)
        return std::unexpected(error == EWOULDBLOCK
                ? base::error{errc::in_use, fmt::format("another daemon serves {}", path)}
                : cannot(name, error));
    return lock;
}

base::unique_fd new_socket()
{
    return base::unique_fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
}

// Whether somebody listens there; an errno value as error. After a daemon was killed its children
// have its socket until they are executed (jobs/run_lock.hpp): that is waited for.
std::expected<bool, int> is_served(const ::sockaddr_un& address, bool held_by_the_dead)
{
    constexpr int tries = 100;
    for (int i = 0; i < tries; ++i) {
        const auto probe = new_socket();
        if (!probe)
            return std::unexpected(errno);
        const bool connected = ::connect(probe.get(), generic(address), sizeof address) == 0;
        if (!connected && errno == ECONNREFUSED) // EAGAIN: its backlog is full
            return false;
        if (!held_by_the_dead)
            return true;
        ::poll(nullptr, 0, 1);
    }
    return true;
}

// Removes a socket that nobody listens on. The lock is held, so no other daemon of this
// program stands between the look and the removal.
base::result<> clear_stale(
    const std::string& path, const ::sockaddr_un& address, bool held_by_the_dead)
{
    struct ::stat found{};
    if (::lstat(path.c_str(), &found) != 0)
        return errno == ENOENT ? base::result<>{} : std::unexpected(cannot(path, errno));
    if (!S_ISSOCK(found.st_mode))
        return std::unexpected(base::error{
            errc::not_a_socket, fmt::format("cannot listen at {}: it is no socket", path)});
    const auto served = is_served(address, held_by_the_dead);
    if (!served)
        return std::unexpected(cannot(path, served.error()));
    if (*served)
        return std::unexpected(
            base::error{errc::in_use, fmt::format("another process serves {}", path)});
    if (::unlink(path.c_str()) != 0)
        return std::unexpected(cannot(path, errno));
    return {};
}

base::result<> bind_and_listen(const base::unique_fd& socket, const std::string& path,
    const ::sockaddr_un& address, const listener_options& how)
{
    // The file gets the socket's own mode less the umask, so it is never open to more than
    // these; what the umask took is given afterwards.
    const ::mode_t mode = how.shared ? 0660 : 0600;
    if (::fchmod(socket.get(), mode) != 0 ||
        ::bind(socket.get(), generic(address), sizeof address) != 0)
        return std::unexpected(cannot(path, errno));
    constexpr auto keep_owner = static_cast<::uid_t>(-1);
    const bool owned =
        !how.shared || !how.group || ::lchown(path.c_str(), keep_owner, *how.group) == 0;
    if (!owned || ::chmod(path.c_str(), mode) != 0 || ::listen(socket.get(), backlog) != 0)
        return std::unexpected(cannot(path, errno));
    return {};
}

} // namespace

listener::listener(listener&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      lock_(std::move(other.lock_)),
      socket_(std::move(other.socket_)),
      device_(other.device_),
      inode_(other.inode_)
{}

listener::~listener()
{
    struct ::stat found{};
    if (path_.empty() || ::lstat(path_.c_str(), &found) != 0)
        return;
    if (found.st_dev == device_ && found.st_ino == inode_)
        ::unlink(path_.c_str());
    // The lock file stays: removing it would let two daemons lock two files of one name.
}

base::result<listener> open_listener(std::string path, const listener_options& how)
{
    const auto address = address_of(path);
    if (!address)
        return std::unexpected(address.error());
    auto lock = lock_beside(path);
    if (!lock)
        return std::unexpected(std::move(lock.error()));
    const bool by_the_dead = jobs::holder_of(lock->get()).pid != 0; // we hold it: it has ended
    if (auto clear = clear_stale(path, *address, by_the_dead); !clear)
        return std::unexpected(std::move(clear.error()));
    if (const int failed = jobs::sign_lock(lock->get()); failed != 0)
        return std::unexpected(cannot(path + ".lock", failed));
    listener made{std::move(path), std::move(*lock)};
    made.socket_ = new_socket();
    if (!made.socket_)
        return std::unexpected(cannot(made.path_, errno));
    auto bound = bind_and_listen(made.socket_, made.path_, *address, how);
    struct ::stat file{};
    if (bound && ::lstat(made.path_.c_str(), &file) != 0)
        bound = std::unexpected(cannot(made.path_, errno));
    if (!bound)
        return std::unexpected(std::move(bound.error()));
    made.device_ = file.st_dev;
    made.inode_ = file.st_ino;
    return made;
}

base::result<> check_listening(int socket)
{
    int family = 0;
    int type = 0;
    int listening = 0;
    const auto ask = [socket](int what, int& into) {
        ::socklen_t size = sizeof into;
        return ::getsockopt(socket, SOL_SOCKET, what, &into, &size) == 0;
    };
    if (!ask(SO_DOMAIN, family) || !ask(SO_TYPE, type) || !ask(SO_ACCEPTCONN, listening))
        return std::unexpected(cannot(fmt::format("descriptor {}", socket), errno));
    if (family != AF_UNIX || type != SOCK_STREAM || listening == 0)
        return std::unexpected(base::error{errc::cannot_listen,
            fmt::format("descriptor {} is no listening Unix stream socket", socket)});
    return {};
}

std::optional<std::uint32_t> group_of(int socket)
{
    ::sockaddr_un address{};
    ::socklen_t size = sizeof address;
    auto* out = reinterpret_cast<::sockaddr*>(&address); // NOLINT: the socket API's way
    if (::getsockname(socket, out, &size) != 0 || address.sun_path[0] == '\0')
        return std::nullopt;
    struct ::stat file{};
    if (::stat(address.sun_path, &file) != 0)
        return std::nullopt;
    return file.st_gid;
}

} // namespace agentd::api
