#include "jobs/run_record.hpp"

#include "base/unique_fd.hpp"
#include "jobs/cgroup_place.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>

namespace agentd::jobs {
namespace {

constexpr std::string_view prefix = "agentd-";
constexpr std::size_t digits = 16;

// A path that a run has written: nothing else is taken for one.
bool is_groups_path(std::string_view path)
{
    const auto name = path.substr(path.rfind('/') + 1);
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    return path.starts_with('/') && name.starts_with(prefix) &&
        name.size() == prefix.size() + digits &&
        std::ranges::all_of(name.substr(prefix.size()), is_digit);
}

} // namespace

std::string identity_of(const std::string& spool_folder)
{
    const std::filesystem::path path{spool_folder};
    struct stat home{};
    if (::stat(path.parent_path().c_str(), &home) == 0)
        return fmt::format("{}:{}/{}", home.st_dev, home.st_ino, path.filename().string());
    return spool_folder;
}

std::string subtree_name(std::string_view identity)
{
    // FNV-1a: the same in every run, which std::hash need not be.
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : identity)
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return fmt::format("{}{:016x}", prefix, hash);
}

std::optional<std::string> run_record::read() const
{
    if (::access(path_.c_str(), F_OK) != 0)
        return std::nullopt;
    auto text = read_group_file(AT_FDCWD, path_.c_str());
    text.resize(std::min(text.find('\n'), text.size()));
    return is_groups_path(text) ? text : std::string{};
}

base::result<> run_record::write(std::string_view groups) const
{
    const auto fresh = path_ + ".new";
    const auto text = fmt::format("{}\n", groups);
    {
        const base::unique_fd file{
            ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
        if (!file)
            return std::unexpected(base::system_error("write " + fresh, errno));
        const auto n = ::write(file.get(), text.data(), text.size());
        if (n != static_cast<ssize_t>(text.size()))
            return std::unexpected(base::system_error("write " + fresh, n < 0 ? errno : ENOSPC));
    }
    if (::rename(fresh.c_str(), path_.c_str()) != 0)
        return std::unexpected(base::system_error("write " + path_, errno));
    return {};
}

void run_record::remove() const
{
    ::unlink(path_.c_str());
}

} // namespace agentd::jobs
