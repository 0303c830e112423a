// A wall clock that a test sets while a program runs (LD_PRELOAD): what it shows is the
// machine's, shifted by the seconds that stand in the file $AGENTD_TEST_CLOCK. The other clocks
// are left alone. Any thread.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>

namespace {

time_t shift()
{
    static const int file = [] {
        const char* path = std::getenv("AGENTD_TEST_CLOCK"); // NOLINT: set before the start
        return path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
    }();
    std::array<char, 32> text{};
    const int before = errno;
    const auto size = file < 0 ? -1 : ::pread(file, text.data(), text.size() - 1, 0);
    errno = before;
    return size > 0 ? std::strtol(text.data(), nullptr, 10) : 0;
}

} // namespace

extern "C" int clock_gettime(clockid_t which, timespec* out) noexcept
{
    const auto failed = ::syscall(SYS_clock_gettime, which, out);
    if (failed == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        out->tv_sec += shift();
    return static_cast<int>(failed);
}
