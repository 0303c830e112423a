#include "jobs/cgroup_place.hpp"

#include "base/unique_fd.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace agentd::jobs {
namespace {

constexpr std::size_t group_file_bytes = std::size_t{1} << 20; // far above any list in a group

base::error no_place(std::string text)
{
    return base::error{std::make_error_code(std::errc::not_supported), std::move(text)};
}

// Blanks and the like stand as \040 in a mountinfo.
std::string unescaped(std::string_view text)
{
    const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) &&
            is_octal(text[i + 2]) && is_octal(text[i + 3])) {
            plain += static_cast<char>(
                (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

// Calls `with` for each line until it answers true.
template <class With>
void each_line(std::string_view text, With with)
{
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (with(text.substr(0, end)))
            return;
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
}

bool is_cgroup2(const std::string& folder)
{
    struct statfs about{};
    return ::statfs(folder.c_str(), &about) == 0 && about.f_type == CGROUP2_SUPER_MAGIC;
}

bool may_write(const std::string& folder)
{
    for (const char* const name : {"", "/cgroup.procs", "/cgroup.subtree_control"})
        if (::faccessat(AT_FDCWD, (folder + name).c_str(), W_OK, AT_EACCESS) != 0)
            return false;
    return true;
}

// What systemd puts on the groups that it has given away (Delegate=yes).
bool has_delegate_mark(const std::string& folder)
{
    for (const char* const name : {"user.delegate", "trusted.delegate"}) {
        char value = 0;
        if (::getxattr(folder.c_str(), name, &value, 1) == 1 && value == '1')
            return true;
    }
    return false;
}

bool systemd_runs()
{
    return ::access("/run/systemd/system", F_OK) == 0;
}

} // namespace

std::vector<std::string> words_of(std::string_view text)
{
    constexpr std::string_view blanks = " \n";
    std::vector<std::string> words;
    for (;;) {
        const auto begin = text.find_first_not_of(blanks);
        if (begin == text.npos)
            return words;
        text.remove_prefix(begin);
        const auto end = std::min(text.find_first_of(blanks), text.size());
        words.emplace_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

std::optional<cgroup_mount> cgroup2_mount(std::string_view mountinfo)
{
    std::optional<cgroup_mount> found;
    // "31 23 0:28 ROOT FOLDER OPTIONS [optional fields] - cgroup2 SOURCE OPTIONS"
    each_line(mountinfo, [&found](std::string_view line) {
        constexpr std::size_t root = 3;
        constexpr std::size_t folder = 4;
        const auto dash = line.find(" - ");
        if (dash == line.npos || !line.substr(dash).starts_with(" - cgroup2 "))
            return false;
        const auto words = words_of(line.substr(0, dash));
        if (words.size() <= folder)
            return false;
        found = cgroup_mount{unescaped(words[root]), unescaped(words[folder])};
        return true;
    });
    return found;
}

std::optional<std::string> cgroup2_path(std::string_view membership)
{
    std::optional<std::string> found;
    each_line(membership, [&found](std::string_view line) {
        constexpr std::string_view begin = "0::";
        constexpr std::string_view gone = " (deleted)";
        if (!line.starts_with(begin))
            return false;
        line.remove_prefix(begin.size());
        if (line.ends_with(gone))
            line.remove_suffix(gone.size());
        found = std::string{line};
        return true;
    });
    return found;
}

std::optional<std::string> folder_of(const cgroup_mount& where, std::string_view path)
{
    // "/.." stands for what lies above the root of a cgroup namespace.
    if (path.empty() || path.starts_with("/.."))
        return std::nullopt;
    if (where.root != "/") {
        if (!path.starts_with(where.root))
            return std::nullopt;
        path.remove_prefix(where.root.size());
        if (!path.empty() && path.front() != '/')
            return std::nullopt;
    }
    return path == "/" ? where.folder : where.folder + std::string{path};
}

base::result<cgroup_place> find_cgroup_place()
{
    const auto mount = cgroup2_mount(read_group_file(AT_FDCWD, "/proc/self/mountinfo"));
    if (!mount)
        return std::unexpected(no_place("no cgroup2 is mounted"));
    const auto path = cgroup2_path(read_group_file(AT_FDCWD, "/proc/self/cgroup"));
    if (!path)
        return std::unexpected(no_place("agentd is in no control group of cgroup2"));
    const auto folder = folder_of(*mount, *path);
    if (!folder || !is_cgroup2(*folder))
        return std::unexpected(
            no_place(fmt::format("agentd's own control group {} is not mounted here", *path)));
    const bool root = ::geteuid() == 0;
    if (may_write(*folder) && (!root || has_delegate_mark(*folder)))
        return cgroup_place{*folder, true};
    if (!root)
        return std::unexpected(no_place(
            fmt::format("the control group {} was not given to this user (Delegate=yes)", *path)));
    if (systemd_runs())
        return std::unexpected(no_place(
            fmt::format("systemd has not given away the control group {} (Delegate=yes)", *path)));
    if (::access(folder->c_str(), W_OK) != 0)
        return std::unexpected(base::system_error("write to " + *folder, errno));
    return cgroup_place{*folder, false};
}

base::result<cgroup_place> check_cgroup_place(const std::string& folder)
{
    const auto parent = folder.substr(0, folder.rfind('/'));
    if (::access(folder.c_str(), F_OK) != 0 && is_cgroup2(parent) &&
        ::mkdir(folder.c_str(), 0755) != 0)
        return std::unexpected(base::system_error("make " + folder, errno));
    struct stat about{};
    if (::stat(folder.c_str(), &about) != 0)
        return std::unexpected(base::system_error("use " + folder, errno));
    if (!S_ISDIR(about.st_mode))
        return std::unexpected(base::system_error("use " + folder, ENOTDIR));
    if (!is_cgroup2(folder))
        return std::unexpected(no_place(fmt::format("{} is no control group of cgroup2", folder)));
    if (::access(folder.c_str(), W_OK) != 0)
        return std::unexpected(base::system_error("write to " + folder, errno));
    return cgroup_place{folder, false};
}

std::string read_group_file(int folder, const char* name)
{
    std::string text;
    const base::unique_fd file{::openat(folder, name, O_RDONLY | O_CLOEXEC)};
    std::array<char, 4096> block;
    while (file && text.size() < group_file_bytes) {
        const auto n = ::read(file.get(), block.data(), block.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        text.append(block.data(), static_cast<std::size_t>(n));
    }
    return text;
}

int write_group_file(int folder, const char* name, std::string_view text)
{
    const base::unique_fd file{::openat(folder, name, O_WRONLY | O_CLOEXEC)};
    if (!file)
        return errno;
    return ::write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

} // namespace agentd::jobs
