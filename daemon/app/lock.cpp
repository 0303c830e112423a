#include "app/lock.hpp"

#include "app/errc.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace agentd::app {
namespace {

base::error no_access(std::string_view what, int number)
{
    return {errc::no_access, base::system_error(what, number).text};
}

std::string read_pid(int fd)
{
    char digits[32];
    const auto got = ::pread(fd, digits, sizeof digits, 0);
    std::string pid;
    for (ssize_t i = 0; i < got && digits[i] >= '0' && digits[i] <= '9'; ++i)
        pid.push_back(digits[i]);
    return pid;
}

} // namespace

base::result<file_lock> file_lock::take(const std::string& path, const std::string& what)
{
    base::unique_fd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file)
        return std::unexpected(no_access("open " + path, errno));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return std::unexpected(no_access("lock " + path, errno));
        const auto pid = read_pid(file.get());
        return std::unexpected(base::error{errc::in_use,
            fmt::format("the {} is used by another agentd{}", what,
                pid.empty() ? "" : fmt::format(" (process {})", pid))});
    }
    const auto pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(file.get(), 0) != 0 ||
        ::pwrite(file.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
        return std::unexpected(no_access("write " + path, errno));
    return file_lock{std::move(file)};
}

} // namespace agentd::app
