#include "tools/replacement.hpp"

#include "base/ids.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace agentd::tools {
namespace {

constexpr mode_t new_file_mode = 0666; // the umask takes its part
constexpr int most_names = 8;          // random ones; a second is hardly ever needed

} // namespace

base::result<replacement> replacement::begin(const target& at)
{
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const mode_t mode = at.exists ? at.mode : new_file_mode;
    for (int attempt = 1;; ++attempt) {
        std::string name = ".agentd-" + base::random_hex(8) + ".tmp";
        base::unique_fd fd{::openat(at.at.folder.get(), name.c_str(), flags, mode)};
        if (fd) {
            replacement made{at, std::move(name), std::move(fd)};
            // The owner stays where that is allowed; the mode after it, since chown changes it.
            struct stat own{};
            const bool foreign = at.exists && ::fstat(made.fd_.get(), &own) == 0 &&
                (own.st_uid != at.uid || own.st_gid != at.gid);
            if (foreign && ::fchown(made.fd_.get(), at.uid, at.gid) != 0 && errno != EPERM)
                return std::unexpected(made.failure(errno));
            if (at.exists && ::fchmod(made.fd_.get(), at.mode) != 0)
                return std::unexpected(made.failure(errno));
            return made;
        }
        if (errno != EEXIST || attempt == most_names)
            return std::unexpected(replacement{at, {}, {}}.failure(errno));
    }
}

replacement::replacement(replacement&& other) noexcept
    : at_(other.at_), name_(std::exchange(other.name_, {})), fd_(std::move(other.fd_))
{}

replacement::~replacement()
{
    if (!name_.empty())
        ::unlinkat(at_->at.folder.get(), name_.c_str(), 0);
}

base::result<> replacement::write(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto written = ::write(fd_.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return std::unexpected(failure(errno));
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

base::result<> replacement::commit()
{
    const int folder = at_->at.folder.get();
    if (::renameat(folder, name_.c_str(), folder, at_->at.name.c_str()) != 0)
        return std::unexpected(failure(errno));
    name_.clear();
    fd_.reset();
    return {};
}

base::error replacement::failure(int number) const
{
    return base::system_error(fmt::format("write {}", at_->shown), number);
}

} // namespace agentd::tools
