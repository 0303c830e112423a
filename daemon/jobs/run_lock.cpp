#include "jobs/run_lock.hpp"

#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "jobs/procfs.hpp"

#include <fmt/format.h>

#include <poll.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>

namespace agentd::jobs {
namespace {

// Locks it, waiting while `hopeful()`.
template <class Hopeful>
int lock_while(int file, std::chrono::milliseconds patience, Hopeful hopeful)
{
    const auto last = base::mono_now() + patience;
    for (;;) {
        if (::flock(file, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return errno;
        if (!hopeful() || base::mono_now() >= last)
            return EWOULDBLOCK;
        ::poll(nullptr, 0, 1);
    }
}

} // namespace

lock_holder holder_of(int file)
{
    std::array<char, 64> text{}; // "PID START"
    lock_holder who;
    const auto n = ::pread(file, text.data(), text.size(), 0);
    const char* const end = text.data() + (n > 0 ? n : 0);
    const auto pid = std::from_chars(text.data(), end, who.pid);
    if (pid.ec == std::errc{} && pid.ptr != end)
        std::from_chars(pid.ptr + 1, end, who.start);
    return who;
}

bool lives(const lock_holder& who)
{
    if (who.pid <= 0)
        return false;
    const base::unique_fd process{static_cast<int>(::syscall(SYS_pidfd_open, who.pid, 0U))};
    if (!process)
        return errno != ESRCH && ::kill(who.pid, 0) == 0; // out of descriptors: as far as is known
    const bool same = who.start == 0 || start_of(who.pid) == who.start;
    return same && !has_died(process.get());
}

int lock_file(int file, std::chrono::milliseconds patience)
{
    return lock_while(file, patience, [file] { return !lives(holder_of(file)); });
}

int lock_unsigned(int file, std::chrono::milliseconds patience)
{
    return lock_while(file, patience, [] { return true; });
}

int sign_lock(int file)
{
    const auto who = fmt::format("{} {}\n", ::getpid(), start_of(::getpid()));
    if (::ftruncate(file, 0) != 0)
        return errno;
    const auto n = ::pwrite(file, who.data(), who.size(), 0);
    if (n < 0)
        return errno;
    return static_cast<std::size_t>(n) == who.size() ? 0 : ENOSPC;
}

} // namespace agentd::jobs
