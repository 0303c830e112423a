#include "jobs/run_record.hpp"

#include "base/unique_fd.hpp"
#include "jobs/cgroup_place.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <filesystem>

namespace agentd::jobs {
namespace {

constexpr std::string_view prefix = "agentd-";
constexpr std::size_t digits = 16;

constexpr std::string_view process_word = "process";

// A path that a run has written: nothing else is taken for one.
bool is_groups_path(std::string_view path)
{
    auto name = path.substr(path.rfind('/') + 1);
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (!path.starts_with('/') || !name.starts_with(prefix))
        return false;
    name.remove_prefix(prefix.size());
    const auto hash = name.substr(0, digits);
    const auto number = name.substr(hash.size());
    const bool numbered =
        number.size() == 2 && number[0] == '.' && number[1] >= '2' && number[1] <= '9';
    return hash.size() == digits && std::ranges::all_of(hash, is_digit) &&
        (number.empty() || numbered);
}

// "process PID START BOOT"
std::optional<process_identity> process_in(std::string_view line)
{
    constexpr std::size_t all = 4;
    const auto words = words_of(line);
    if (words.size() != all || words[0] != process_word)
        return std::nullopt;
    process_identity one{.pid = 0, .start = 0, .boot_id = words[3]};
    std::from_chars(words[1].data(), words[1].data() + words[1].size(), one.pid);
    std::from_chars(words[2].data(), words[2].data() + words[2].size(), one.start);
    return one;
}

std::string text_of(const run_remains& what)
{
    auto text = what.groups + "\n";
    for (const auto& path : what.stuck)
        text += path + "\n";
    for (const auto& one : what.processes)
        text += fmt::format("{} {} {} {}\n", process_word, one.pid, one.start, one.boot_id);
    return text;
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

std::string subtree_name(std::string_view identity, int number)
{
    // FNV-1a: the same in every run, which std::hash need not be.
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : identity)
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    const auto name = fmt::format("{}{:016x}", prefix, hash);
    return number == 1 ? name : fmt::format("{}.{}", name, number);
}

std::optional<run_remains> run_record::read() const
{
    if (::access(path_.c_str(), F_OK) != 0)
        return std::nullopt;
    const auto whole = read_group_file(AT_FDCWD, path_.c_str());
    std::string_view text = whole;
    run_remains found;
    for (bool first = true; !text.empty(); first = false) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (is_groups_path(line))
            (first ? found.groups : found.stuck.emplace_back()) = line;
        else if (auto process = process_in(line))
            found.processes.push_back(std::move(*process));
    }
    return found;
}

base::result<> run_record::write(const run_remains& what) const
{
    const auto fresh = path_ + ".new";
    const auto text = text_of(what);
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
