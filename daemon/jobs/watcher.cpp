#include "jobs/watcher.hpp"

#include "base/limits.hpp"
#include "jobs/environment.hpp"
#include "jobs/run_lock.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <optional>
#include <string_view>
#include <utility>

namespace agentd::jobs {
namespace {

constexpr std::string_view farewell = "bye";

// What is guarded: two paths, told in one message with a NUL between them.
struct guarded {
    std::string lock;
    std::string spool;
};

// Everything but the line goes; 0, 1 and 2 lead nowhere.
int keep_only(int line)
{
    constexpr int kept = 3;
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    const int copy = ::fcntl(line, F_DUPFD_CLOEXEC, kept + 1); // the line may be one of the three
    for (const int standard : {0, 1, 2})
        ::dup2(null, standard);
    ::dup2(copy, kept);
    ::close_range(kept + 1, ~0U, 0);
    return kept;
}

// What the daemon said last before it was killed; nullopt: there is nothing to do.
std::optional<guarded> wait_for_death(int line)
{
    std::optional<guarded> what;
    std::array<char, 2 * PATH_MAX> bytes{};
    for (;;) {
        const auto n = ::recv(line, bytes.data(), bytes.size(), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return what;
        const std::string_view said{bytes.data(), static_cast<std::size_t>(n)};
        if (said == farewell)
            return std::nullopt;
        const auto between = said.find('\0');
        if (between != said.npos)
            what = guarded{
                std::string{said.substr(0, between)}, std::string{said.substr(between + 1)}};
    }
}

// Not signed: to whoever wants the lock its holder is the dead daemon, for whom it waits.
void clean_up(const guarded& what)
{
    const base::unique_fd file{::open(what.lock.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
    if (file && lock_file(file.get(), limits::lock_patience) == 0)
        end_dead_run(what.spool);
}

[[noreturn]] void watch(int line, void (*first)())
{
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    ::prctl(PR_SET_NAME, "agentd-watch", 0, 0, 0);
    first();
    // What ends the daemon in order does not have to end this; a terminal's signals even less.
    ::setsid();
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE})
        ::signal(number, SIG_IGN);
    if (::chdir("/") != 0)
        ::_exit(1);
    const int own = keep_only(line);
    if (const auto left = wait_for_death(own))
        clean_up(*left);
    ::_exit(0); // the destructors are the daemon's
}

} // namespace

base::result<watcher> watcher::start(void (*first)())
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return std::unexpected(base::system_error("start the watcher", errno));
    base::unique_fd ours{ends[0]};
    const base::unique_fd its{ends[1]};
    const pid_t pid = ::fork();
    if (pid < 0)
        return std::unexpected(base::system_error("start the watcher", errno));
    if (pid == 0)
        watch(its.get(), first);
    base::unique_fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U))};
    return watcher{pid, std::move(pidfd), std::move(ours)};
}

watcher::watcher(watcher&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      pidfd_(std::move(other.pidfd_)),
      line_(std::move(other.line_))
{}

watcher::~watcher()
{
    if (pid_ == 0)
        return;
    [[maybe_unused]] const auto sent =
        ::send(line_.get(), farewell.data(), farewell.size(), MSG_NOSIGNAL);
    pollfd end{pidfd_.get(), POLLIN, 0};
    // It does nothing but wait for this; a child of ours keeps its number until it is reaped.
    if (::poll(&end, 1, static_cast<int>(limits::watcher_exit / std::chrono::milliseconds{1})) != 1)
        ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void watcher::guard(const std::string& lock, const std::string& spool) const
{
    const auto message = lock + '\0' + spool;
    [[maybe_unused]] const auto sent =
        ::send(line_.get(), message.data(), message.size(), MSG_NOSIGNAL);
}

} // namespace agentd::jobs
