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
#include <utility>

namespace agentd::jobs {
namespace {

constexpr mode_t folder_mode = 0700;
constexpr mode_t file_mode = 0600;
constexpr std::string_view later_suffix = ".d"; // of the folder with all but the first bytes

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

std::optional<std::uint64_t> offset_in(std::string_view name)
{
    std::uint64_t start = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), start);
    if (bad != std::errc{} || end != name.data() + name.size())
        return std::nullopt;
    return start;
}

// Files and their sizes in the folder of a job's later bytes.
void list_later(int folder, const std::string& name, std::vector<extent_file>& files)
{
    const directory later = open_directory(folder, name);
    if (!later)
        return;
    while (const dirent* entry = ::readdir(later.get())) {
        const auto start = offset_in(entry->d_name);
        struct stat about{};
        if (start && ::fstatat(::dirfd(later.get()), entry->d_name, &about, 0) == 0)
            files.push_back({*start, static_cast<std::uint64_t>(about.st_size)});
    }
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

void spool_folder::unlink(const base::job_id& id, std::uint64_t start) const
{
    ::unlinkat(folder_.get(), file_name(id, start).c_str(), 0);
}

bool spool_folder::take(std::size_t bytes)
{
    std::vector<base::job_id> dropped;
    bool fits = false;
    {
        const std::lock_guard hold{lock_};
        scan_locked();
        while (used_ + bytes > cap_ && !ended_.empty()) {
            dropped.push_back(std::move(ended_.front().id));
            used_ -= ended_.front().bytes;
            ended_.pop_front();
        }
        fits = used_ + bytes <= cap_;
        if (fits)
            used_ += bytes;
    }
    for (const auto& id : dropped)
        delete_files(id);
    return fits;
}

void spool_folder::give_back(std::size_t bytes)
{
    const std::lock_guard hold{lock_};
    used_ -= bytes;
}

void spool_folder::ended(const base::job_id& id, std::uint64_t bytes)
{
    const std::lock_guard hold{lock_};
    ended_.push_back({id, bytes});
}

void spool_folder::remove(const base::job_id& id)
{
    {
        const std::lock_guard hold{lock_};
        scan_locked();
        const auto at = std::ranges::find(ended_, id, &old_log::id);
        if (at != ended_.end()) {
            used_ -= at->bytes;
            ended_.erase(at);
        }
    }
    delete_files(id);
}

std::uint64_t spool_folder::used() const
{
    const std::lock_guard hold{lock_};
    return used_;
}

void spool_folder::delete_files(const base::job_id& id) const
{
    for (const auto& file : list(id))
        unlink(id, file.start);
    ::unlinkat(folder_.get(), later_folder(id).c_str(), AT_REMOVEDIR);
}

// Before this run has written anything, so that all there is belongs to ended jobs.
void spool_folder::scan_locked()
{
    if (std::exchange(scanned_, true))
        return;
    struct found {
        timespec when;
        old_log log;
    };
    std::vector<found> logs;
    const directory all = open_directory(folder_.get(), ".");
    while (const dirent* entry = all ? ::readdir(all.get()) : nullptr) {
        std::string_view name{entry->d_name};
        if (name.starts_with('.'))
            continue;
        const bool later = name.ends_with(later_suffix);
        if (later)
            name.remove_suffix(later_suffix.size());
        const base::job_id id{std::string{name}};
        struct stat about{};
        ::fstatat(folder_.get(), entry->d_name, &about, 0);
        if (later && ::faccessat(folder_.get(), id.str().c_str(), F_OK, 0) == 0)
            continue; // counted with its first bytes
        std::uint64_t bytes = 0;
        for (const auto& file : list(id))
            bytes += file.size;
        logs.push_back({about.st_mtim, {id, bytes}});
        used_ += bytes;
    }
    const auto older = [](const found& a, const found& b) {
        return std::pair{a.when.tv_sec, a.when.tv_nsec} < std::pair{b.when.tv_sec, b.when.tv_nsec};
    };
    std::ranges::sort(logs, older);
    for (auto& one : logs)
        ended_.push_back(std::move(one.log));
}

} // namespace agentd::jobs
