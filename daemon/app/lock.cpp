#include "app/lock.hpp"

#include "app/errc.hpp"
#include "base/limits.hpp"
#include "base/slow_step.hpp"
#include "jobs/run_lock.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace agentd::app {
namespace {

base::error in_use(const std::string& what, const jobs::lock_holder& by)
{
    auto text = fmt::format("the {} is used by another agentd", what);
    if (by.pid != 0 && jobs::lives(by))
        text += fmt::format(" (process {})", by.pid);
    else if (by.pid != 0)
        text += fmt::format(", or by what process {}, which has ended, has left behind", by.pid);
    return {errc::in_use, std::move(text)};
}

} // namespace

base::result<file_lock> file_lock::take(const std::string& path, const std::string& what)
{
    base::unique_fd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file)
        return std::unexpected(no_access("open " + path, errno));
    int error = 0;
    {
        const base::slow_step step{"waiting for the lock of the " + what};
        error = jobs::lock_file(file.get(), limits::lock_patience);
    }
    if (error == EWOULDBLOCK)
        return std::unexpected(in_use(what, jobs::holder_of(file.get())));
    if (error != 0)
        return std::unexpected(no_access("lock " + path, error));
    if (const int unsigned_for = jobs::sign_lock(file.get()); unsigned_for != 0)
        return std::unexpected(no_access("write " + path, unsigned_for));
    return file_lock{std::move(file)};
}

} // namespace agentd::app
