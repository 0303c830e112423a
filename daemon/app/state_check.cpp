#include "app/state_check.hpp"

#include "base/check_limits.hpp"
#include "base/limits.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace agentd::app {
namespace {

using proto::api::verdict;

// Whose it is and what others may do with it: nothing.
void check_rights(const std::string& path, std::uint32_t owner, findings& to)
{
    struct stat is{};
    if (::lstat(path.c_str(), &is) != 0) {
        if (errno != ENOENT)
            to.push_back({"rights", verdict::not_checked,
                base::system_error("look at " + path, errno).text, "run this as root"});
        return;
    }
    if (is.st_uid != owner)
        to.push_back({"rights", verdict::error,
            fmt::format("{} belongs to uid {}, the state folder to uid {}", path, is.st_uid, owner),
            fmt::format("chown it to uid {}, after looking why it is another's", owner)});
    const bool folder = S_ISDIR(is.st_mode);
    if (!folder && !S_ISREG(is.st_mode))
        to.push_back({"rights", verdict::error, path + " is neither a file nor a folder",
            "move it away, after looking who has put it there"});
    else if ((is.st_mode & S_IRWXU) < (folder ? S_IRWXU : S_IRUSR | S_IWUSR))
        to.push_back({"rights", verdict::error,
            fmt::format(
                "{} has the mode {:04o}: its owner cannot use it", path, is.st_mode & 07777),
            fmt::format("chmod {} {}", folder ? "0700" : "0600", path)});
    else if ((is.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        to.push_back({"rights", verdict::warning,
            fmt::format(
                "{} has the mode {:04o}: it is others' business, too", path, is.st_mode & 07777),
            fmt::format("chmod go= {}", path)});
}

void check_all_rights(const std::string& folder, findings& to)
{
    constexpr std::array<std::string_view, 7> names{"/agentd.db", "/agentd.db-wal",
        "/agentd.db-shm", "/agentd.db-seq", "/lock", "/jobs", "/workspaces"};
    struct stat is{};
    if (::stat(folder.c_str(), &is) != 0)
        return;
    const auto before = to.size();
    check_rights(folder, is.st_uid, to);
    for (const auto name : names)
        check_rights(folder + std::string{name}, is.st_uid, to);
    if (is.st_uid != ::geteuid())
        to.push_back({"rights", verdict::note,
            fmt::format("the state folder belongs to uid {}, this check runs as uid {}", is.st_uid,
                ::geteuid()),
            ""});
    else if (to.size() == before)
        to.push_back({"rights", verdict::ok, "the state is its owner's alone", ""});
}

} // namespace

std::string size_text(std::uint64_t bytes)
{
    constexpr std::array<std::string_view, 5> units{"KiB", "MiB", "GiB", "TiB", "PiB"};
    if (bytes < 1024)
        return fmt::format("{} bytes", bytes);
    auto size = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    for (; size >= 1024 && unit + 1 < units.size(); ++unit)
        size /= 1024;
    return fmt::format("{:.1f} {}", size, units[unit]);
}

bool check_folder(const std::string& folder, findings& to)
{
    struct stat is{};
    if (::stat(folder.c_str(), &is) != 0) {
        if (errno == ENOENT)
            to.push_back({"folder", verdict::note, "there is no state folder " + folder,
                "nothing is wrong if no daemon has ever run with it; else name the one that it "
                "had: --state-dir"});
        else
            to.push_back({"folder", verdict::not_checked,
                base::system_error("look at the state folder " + folder, errno).text,
                "run this as the daemon's user, or as root"});
        return false;
    }
    if (!S_ISDIR(is.st_mode)) {
        to.push_back({"folder", verdict::error, folder + " is no folder", "move it away"});
        return false;
    }
    if (::access(folder.c_str(), R_OK | X_OK) != 0) {
        to.push_back({"folder", verdict::not_checked,
            base::system_error("look into the state folder " + folder, errno).text,
            "run this as the daemon's user, or as root"});
        return false;
    }
    to.push_back({"folder", verdict::ok, "the state is in " + folder, ""});
    return true;
}

void check_space(const std::string& folder, findings& to)
{
    struct statvfs is{};
    if (::statvfs(folder.c_str(), &is) != 0) {
        to.push_back({"space", verdict::not_checked,
            base::system_error("ask for the free space of " + folder, errno).text, ""});
        return;
    }
    if ((is.f_flag & ST_RDONLY) != 0)
        to.push_back({"space", verdict::error, "the file system of the state is read-only",
            "look into the kernel's log why, then mount it for writing: a running daemon goes on "
            "by itself"});
    const auto free = std::uint64_t{is.f_bavail} * is.f_frsize;
    const auto text = size_text(free) + " are free for the state";
    if (free < limits::space_out)
        to.push_back({"space", verdict::error, text,
            "make room: tasks are refused while nothing can be written; a running daemon goes on "
            "by itself"});
    else if (free < limits::space_short)
        to.push_back({"space", verdict::warning, text, "make room, or lower jobs.spool_bytes"});
    else
        to.push_back({"space", verdict::ok, text, ""});
    if (is.f_files != 0 && is.f_favail < limits::inodes_short)
        to.push_back({"space", verdict::warning,
            fmt::format("only {} more files can be made beside the state", is.f_favail),
            "remove small files: each job takes two"});
}

void check_spool(const state_place& at, findings& to)
{
    namespace fs = std::filesystem;
    const auto folder = at.folder + "/jobs";
    std::error_code failure;
    std::uint64_t bytes = 0;
    std::size_t files = 0;
    if (!fs::exists(folder, failure) && !failure) {
        to.push_back({"spool", verdict::ok, "no output of jobs is kept", ""});
        return;
    }
    for (fs::directory_iterator each{folder, failure}, end;
        !failure && each != end && files < limits::check_files; each.increment(failure)) {
        std::error_code gone; // a running daemon drops files
        const auto size = each->file_size(gone);
        bytes += gone ? 0 : size;
        ++files;
    }
    if (failure) {
        to.push_back({"spool", verdict::not_checked,
            base::system_error("look into " + folder, failure.value()).text, ""});
        return;
    }
    auto text = fmt::format("{} of jobs' output in {} files, {} allowed", size_text(bytes), files,
        size_text(at.spool_bytes));
    if (files == limits::check_files)
        to.push_back({"spool", verdict::not_checked,
            fmt::format("{} has more than {} files: not all were counted", folder, files), ""});
    else if (bytes > at.spool_bytes)
        to.push_back({"spool", verdict::warning, std::move(text),
            "the daemon drops the oldest when it next writes; it counts only what it has written"});
    else
        to.push_back({"spool", verdict::ok, std::move(text), ""});
}

findings check_state(const state_place& at)
{
    findings all;
    if (!check_folder(at.folder, all))
        return all;
    check_all_rights(at.folder, all);
    const auto lock = check_lock(at.folder, all);
    const bool ended_badly = check_last_run(at.folder, lock, all);
    check_space(at.folder, all);
    check_database(at.folder, lock, ended_badly, all);
    check_spool(at, all);
    return all;
}

} // namespace agentd::app
