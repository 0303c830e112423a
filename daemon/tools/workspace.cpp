#include "tools/workspace.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/error.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <utility>

namespace agentd::tools {
namespace {

// Looks again when a name has become a link between the look and the opening.
constexpr int most_looks = 16;

base::error refusal(std::string_view verb, std::string_view path, std::error_code code)
{
    if (code == errc::escapes_workspace)
        return {code, fmt::format("Path escapes workspace: {}", path)};
    const bool gone = code == std::errc::no_such_file_or_directory;
    return {gone ? make_error_code(errc::not_found) : code,
        fmt::format("cannot {} {}: {}", verb, path, code.message())};
}

base::error refusal(std::string_view verb, std::string_view path, int number)
{
    return refusal(verb, path, std::error_code{number, std::generic_category()});
}

// The error of what is no regular file.
base::error not_a_file(std::string_view verb, std::string_view path, mode_t mode)
{
    const std::string_view kind = S_ISDIR(mode) ? "is a directory"
        : S_ISFIFO(mode)                        ? "is a fifo, not a regular file"
        : S_ISSOCK(mode)                        ? "is a socket, not a regular file"
                                                : "is a device, not a regular file";
    return {errc::not_a_file, fmt::format("cannot {} {}: it {}", verb, path, kind)};
}

// Opens the file at `at`. EAGAIN: the name has become a link meanwhile.
base::result<open_file> open_at(const place& at, std::string_view verb, std::string_view path)
{
    struct stat entry{};
    // Looked at before it is opened: to open a fifo or a device can have effects.
    if (::fstatat(at.folder.get(), at.name.c_str(), &entry, AT_SYMLINK_NOFOLLOW) != 0)
        return std::unexpected(refusal(verb, path, errno));
    if (S_ISLNK(entry.st_mode))
        return std::unexpected(refusal(verb, path, EAGAIN));
    if (!S_ISREG(entry.st_mode))
        return std::unexpected(not_a_file(verb, path, entry.st_mode));
    constexpr int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    base::unique_fd fd{::openat(at.folder.get(), at.name.c_str(), flags)};
    if (!fd)
        return std::unexpected(refusal(verb, path, errno == ELOOP ? EAGAIN : errno));
    if (::fstat(fd.get(), &entry) != 0)
        return std::unexpected(refusal(verb, path, errno));
    if (!S_ISREG(entry.st_mode))
        return std::unexpected(not_a_file(verb, path, entry.st_mode));
    return open_file{std::move(fd), static_cast<std::uint64_t>(entry.st_size)};
}

bool names_a_folder(std::string_view path)
{
    return path.ends_with('/') || path == "." || path == ".." || path.ends_with("/.") ||
        path.ends_with("/..");
}

} // namespace

base::result<workspace> workspace::open(const std::string& path, way found_by)
{
    base::unique_fd fd{::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!fd)
        return std::unexpected(base::system_error("open workspace " + path, errno));
    if (::faccessat(fd.get(), ".", X_OK, AT_EACCESS) != 0)
        return std::unexpected(base::system_error("enter workspace " + path, errno));
    const std::unique_ptr<char, decltype(&std::free)> real{
        ::realpath(path.c_str(), nullptr), &std::free};
    if (!real)
        return std::unexpected(base::system_error("find the path of workspace " + path, errno));
    root_folder root;
    root.fd = std::move(fd);
    root.names = {std::string{real.get()}, path};
    root.found_by = found_by;
    return workspace{std::move(root)};
}

base::result<place> workspace::find(
    std::string_view verb, std::string_view path, missing_folders parents) const
{
    if (path.size() >= PATH_MAX)
        return std::unexpected(
            refusal(verb, fmt::format("{}...", base::first_chars(path, 80)), ENAMETOOLONG));
    std::string relative{path};
    if (path.starts_with('/')) {
        auto inside = below(path, root_.names);
        if (!inside)
            return std::unexpected(refusal(verb, path, make_error_code(errc::escapes_workspace)));
        relative = std::move(*inside);
    }
    auto found = find_beneath(root_, relative, parents);
    if (!found)
        return std::unexpected(refusal(verb, path, found.error()));
    return std::move(*found);
}

base::result<open_file> workspace::open_to_read(std::string_view path) const
{
    for (int look = 1;; ++look) {
        auto at = find("read", path, missing_folders::refuse);
        if (!at)
            return std::unexpected(std::move(at.error()));
        auto opened = open_at(*at, "read", path);
        const bool changed =
            !opened && opened.error().code == std::errc::resource_unavailable_try_again;
        if (!changed || look == most_looks)
            return opened;
    }
}

base::result<target> workspace::find_target(std::string_view path, missing_folders parents) const
{
    if (names_a_folder(path)) {
        auto at = find("write", path, missing_folders::refuse);
        return std::unexpected(at ? not_a_file("write", path, S_IFDIR) : std::move(at.error()));
    }
    auto at = find("write", path, parents);
    if (!at)
        return std::unexpected(std::move(at.error()));
    target found{.at = std::move(*at), .shown = std::string{path}};
    struct stat entry{};
    const int folder = found.at.folder.get();
    const char* const name = found.at.name.c_str();
    if (::fstatat(folder, name, &entry, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT)
            return std::unexpected(refusal("write", path, errno));
        return found;
    }
    if (!S_ISREG(entry.st_mode) && !S_ISLNK(entry.st_mode))
        return std::unexpected(not_a_file("write", path, entry.st_mode));
    // It will be replaced, not written: but who protects a file means its contents.
    if (::faccessat(folder, name, W_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) != 0)
        return std::unexpected(refusal("write", path, errno));
    found.exists = true;
    found.mode = entry.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
    found.uid = entry.st_uid;
    found.gid = entry.st_gid;
    return found;
}

base::result<open_file> workspace::open_old(const target& what) const
{
    return open_at(what.at, "read", what.shown);
}

} // namespace agentd::tools
