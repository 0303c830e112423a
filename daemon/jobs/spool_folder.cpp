#include "jobs/spool_folder.hpp"

#include <fmt/format.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <set>
#include <utility>

namespace agentd::jobs {
namespace {

constexpr mode_t folder_mode = 0700;
constexpr mode_t file_mode = 0600;
constexpr std::string_view later_suffix = ".d";  // of the folder with all but the first bytes
constexpr std::string_view times_suffix = ".t1"; // of the times beside a file; 1: their format

using file_time = std::pair<time_t, long>; // seconds, ns
using directory = std::unique_ptr<DIR, int (*)(DIR*)>;

directory open_directory(int at, const std::string& name)
{
    const int fd = ::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const opened = fd < 0 ? nullptr : ::fdopendir(fd);
    if (opened == nullptr && fd >= 0)
        ::close(fd);
    return {opened, [](DIR* one) { return one ? ::closedir(one) : 0; }};
}

std::string later_folder(const base::job_id& id)
{
    return id.str() + std::string{later_suffix};
}

std::string file_name(const base::job_id& id, std::uint64_t start)
{
    return start == 0 ? id.str() : fmt::format("{}{}/{:020}", id.str(), later_suffix, start);
}

std::string times_name(const base::job_id& id, std::uint64_t start)
{
    return file_name(id, start) + std::string{times_suffix};
}

std::optional<std::uint64_t> offset_in(std::string_view name)
{
    std::uint64_t start = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), start);
    if (bad != std::errc{} || end != name.data() + name.size())
        return std::nullopt;
    return start;
}

// What to do with each entry of a folder, by its name.
template <class Visit>
void each_entry(int at, const std::string& name, Visit visit)
{
    const directory all = open_directory(at, name);
    while (const dirent* entry = all ? ::readdir(all.get()) : nullptr)
        if (entry->d_name[0] != '.')
            visit(::dirfd(all.get()), std::string{entry->d_name});
}

// Files and their sizes in the folder of a job's later bytes.
void list_later(int folder, const std::string& name, std::vector<extent_file>& files)
{
    each_entry(folder, name, [&files](int later, const std::string& entry) {
        const auto start = offset_in(entry); // else it is the times of one
        struct stat about{};
        if (start && ::fstatat(later, entry.c_str(), &about, 0) == 0)
            files.push_back({*start, static_cast<std::uint64_t>(about.st_size)});
    });
}

// What a job has on disk, its times included.
struct disk_use {
    std::uint64_t bytes = 0;
    file_time newest{};

    void add(int folder, const std::string& name)
    {
        struct stat about{};
        if (::fstatat(folder, name.c_str(), &about, 0) != 0)
            return;
        bytes += static_cast<std::uint64_t>(about.st_size);
        newest = std::max(newest, {about.st_mtim.tv_sec, about.st_mtim.tv_nsec});
    }
};

disk_use usage_of(int folder, const base::job_id& id)
{
    disk_use all;
    all.add(folder, file_name(id, 0));
    all.add(folder, times_name(id, 0));
    each_entry(folder, later_folder(id),
        [&all](int later, const std::string& name) { all.add(later, name); });
    return all;
}

} // namespace

std::optional<byte_range> missing_in(const std::vector<extent_file>& files, std::uint64_t total)
{
    std::optional<byte_range> missing;
    const auto add = [&missing](std::uint64_t start, std::uint64_t end) {
        if (start < end)
            missing = byte_range{missing ? missing->start : start, end};
    };
    std::uint64_t at = 0;
    for (const auto& file : files) {
        add(at, file.start);
        at = std::max(at, file.end());
    }
    add(at, total);
    return missing;
}

base::result<> spool_folder::open()
{
    if (::mkdir(path_.c_str(), folder_mode) != 0 && errno != EEXIST)
        return std::unexpected(base::system_error("make " + path_, errno));
    folder_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder_)
        return std::unexpected(base::system_error("open " + path_, errno));
    return {};
}

std::vector<extent_file> spool_folder::list(const base::job_id& id) const
{
    std::vector<extent_file> files;
    struct stat about{};
    if (::fstatat(folder_.get(), id.str().c_str(), &about, 0) == 0)
        files.push_back({0, static_cast<std::uint64_t>(about.st_size)});
    list_later(folder_.get(), later_folder(id), files);
    std::ranges::sort(files, {}, &extent_file::start);
    return files;
}

base::unique_fd spool_folder::open_to_read(const base::job_id& id, std::uint64_t start) const
{
    const auto name = file_name(id, start);
    return base::unique_fd{::openat(folder_.get(), name.c_str(), O_RDONLY | O_CLOEXEC)};
}

base::unique_fd spool_folder::open_times(const base::job_id& id, std::uint64_t start) const
{
    const auto name = times_name(id, start);
    return base::unique_fd{::openat(folder_.get(), name.c_str(), O_RDONLY | O_CLOEXEC)};
}

base::unique_fd spool_folder::create(const base::job_id& id, std::uint64_t start)
{
    {
        const std::lock_guard hold{lock_};
        scan_locked();
    }
    const auto name = file_name(id, start);
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    const auto make = [&] { return ::openat(folder_.get(), name.c_str(), flags, file_mode); };
    base::unique_fd file{make()};
    if (!file && errno == ENOENT) {
        ::mkdirat(folder_.get(), later_folder(id).c_str(), folder_mode);
        file.reset(make());
    }
    return file;
}

base::unique_fd spool_folder::create_times(const base::job_id& id, std::uint64_t start) const
{
    const auto name = times_name(id, start);
    constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    return base::unique_fd{::openat(folder_.get(), name.c_str(), flags, file_mode)};
}

void spool_folder::unlink(const base::job_id& id, std::uint64_t start) const
{
    ::unlinkat(folder_.get(), file_name(id, start).c_str(), 0);
    unlink_times(id, start);
}

void spool_folder::unlink_times(const base::job_id& id, std::uint64_t start) const
{
    ::unlinkat(folder_.get(), times_name(id, start).c_str(), 0);
}

std::uint64_t spool_folder::used() const
{
    const std::lock_guard hold{lock_};
    return used_;
}

void spool_folder::delete_files(const base::job_id& id) const
{
    unlink(id, 0);
    each_entry(folder_.get(), later_folder(id),
        [](int later, const std::string& name) { ::unlinkat(later, name.c_str(), 0); });
    ::unlinkat(folder_.get(), later_folder(id).c_str(), AT_REMOVEDIR);
}

// Before this run has written anything, so that all there is belongs to ended jobs; the one
// whose last byte is the oldest ended first.
void spool_folder::scan_locked()
{
    if (std::exchange(scanned_, true))
        return;
    std::set<std::string> names;
    each_entry(folder_.get(), ".", [&names](int, std::string name) {
        for (const auto suffix : {later_suffix, times_suffix})
            if (name.ends_with(suffix))
                name.resize(name.size() - suffix.size());
        names.insert(std::move(name));
    });
    std::vector<std::pair<file_time, old_log>> logs;
    for (const auto& name : names) {
        const base::job_id id{name};
        const auto all = usage_of(folder_.get(), id);
        logs.push_back({all.newest, {id, all.bytes}});
        used_ += all.bytes;
        ended_used_ += all.bytes;
    }
    const auto when = [](const auto& one) { return one.first; };
    std::ranges::sort(logs, {}, when);
    for (auto& one : logs)
        ended_.push_back(std::move(one.second));
}

} // namespace agentd::jobs
