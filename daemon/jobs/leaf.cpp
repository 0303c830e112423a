#include "jobs/leaf.hpp"

#include "jobs/cgroup_place.hpp"
#include "jobs/leaves.hpp"

#include <fmt/format.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <string_view>

namespace agentd::jobs {
namespace {

constexpr int deepest = 32; // groups in groups; a command's own rarely go beyond two

// The number behind "KEY " in lines of "KEY NUMBER".
std::optional<std::int64_t> number_of(std::string_view text, std::string_view key)
{
    for (auto at = text.find(key); at != text.npos; at = text.find(key, at + 1)) {
        const bool begins = at == 0 || text[at - 1] == '\n';
        const auto value = at + key.size();
        if (!begins || value >= text.size() || text[value] != ' ')
            continue;
        std::int64_t number = 0;
        std::from_chars(text.data() + value + 1, text.data() + text.size(), number);
        return number;
    }
    return std::nullopt;
}

// How often the bound of that very group was met without a way out.
std::int64_t shortages(int folder, const char* events)
{
    return number_of(read_group_file(folder, events), "oom").value_or(0);
}

void append_pids(std::string_view text, std::vector<pid_t>& to)
{
    while (!text.empty()) {
        const auto end = text.find('\n');
        pid_t pid = 0; // 0: a process outside of this namespace
        const auto line = text.substr(0, end);
        std::from_chars(line.data(), line.data() + line.size(), pid);
        if (pid > 0)
            to.push_back(pid);
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
}

bool has_groups(int folder)
{
    struct stat about{};
    return ::fstat(folder, &about) == 0 && about.st_nlink > 2;
}

void append_processes(int folder, int depth, std::vector<pid_t>& to)
{
    append_pids(read_group_file(folder, "cgroup.procs"), to);
    if (depth == deepest || !has_groups(folder))
        return;
    base::unique_fd again{::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    DIR* const opened = again ? ::fdopendir(again.get()) : nullptr;
    if (opened == nullptr)
        return;
    [[maybe_unused]] const int owned = again.release();
    const std::unique_ptr<DIR, int (*)(DIR*)> entries{opened, ::closedir};
    while (const dirent* entry = ::readdir(entries.get())) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        const base::unique_fd group{
            ::openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (group)
            append_processes(group.get(), depth + 1, to);
    }
}

// Of a cgroup.events.
bool says_populated(int events)
{
    std::array<char, 256> text{}; // a few short lines
    const auto n = ::pread(events, text.data(), text.size(), 0);
    // What cannot be read is not known to be empty; a removed group is.
    if (n < 0)
        return errno != ENODEV;
    return number_of({text.data(), static_cast<std::size_t>(n)}, "populated") == 1;
}

} // namespace

bool is_populated(int folder)
{
    return number_of(read_group_file(folder, "cgroup.events"), "populated") == 1;
}

std::vector<pid_t> processes_in(int folder)
{
    std::vector<pid_t> found;
    append_processes(folder, 0, found);
    return found;
}

leaf::leaf(leaves& home, std::string name, base::unique_fd folder, base::unique_fd events,
    base::unique_fd killer)
    : home_(&home),
      name_(std::move(name)),
      folder_(std::move(folder)),
      events_(std::move(events)),
      killer_(std::move(killer))
{}

leaf::leaf(leaf&& other) noexcept
    : home_(std::exchange(other.home_, nullptr)),
      name_(std::move(other.name_)),
      folder_(std::move(other.folder_)),
      events_(std::move(other.events_)),
      killer_(std::move(other.killer_)),
      session_shortages_(other.session_shortages_)
{}

leaf::~leaf()
{
    folder_.reset();
    events_.reset();
    killer_.reset();
    if (home_ != nullptr)
        home_->give_back(std::move(name_));
}

bool leaf::populated() const
{
    return says_populated(events_.get());
}

bool leaf::holds(pid_t pid) const
{
    const auto file = fmt::format("/proc/{}/cgroup", pid);
    const auto path = cgroup2_path(read_group_file(AT_FDCWD, file.c_str()));
    if (!path)
        return false;
    const auto own = fmt::format("/{}/{}", home_->subtree(), name_);
    return path->ends_with(own) || path->find(own + "/") != path->npos;
}

bool leaf::kill() const
{
    return ::write(killer_.get(), "1", 1) == 1;
}

leaf::watched leaf::watch() const
{
    watched change;
    change.fd.reset(::openat(fd(), "cgroup.events", O_RDONLY | O_CLOEXEC));
    if (change.fd) // what is read here is what changes are told against
        change.populated = says_populated(change.fd.get());
    return change;
}

int leaf::limit(const bounds& most) const
{
    int failed = 0;
    if (most.memory_bytes != 0) {
        failed = write_group_file(fd(), "memory.max", std::to_string(most.memory_bytes));
        write_group_file(fd(), "memory.swap.max", "0");  // not there where swap is not counted
        write_group_file(fd(), "memory.oom.group", "1"); // all or nobody
    }
    if (most.processes != 0 && failed == 0)
        failed = write_group_file(fd(), "pids.max", std::to_string(most.processes));
    return failed;
}

void leaf::join_session()
{
    write_group_file(fd(), "memory.oom.group", "1");
    session_shortages_ = shortages(fd(), "../memory.events.local");
}

group_bill::memory_of leaf::short_of() const
{
    if (shortages(fd(), "memory.events.local") != 0)
        return group_bill::memory_of::command;
    if (session_shortages_ && shortages(fd(), "../memory.events.local") != *session_shortages_)
        return group_bill::memory_of::session;
    return group_bill::memory_of::machine;
}

std::optional<std::chrono::microseconds> leaf::cpu() const
{
    const auto used = number_of(read_group_file(fd(), "cpu.stat"), "usage_usec");
    return used ? std::optional{std::chrono::microseconds{*used}} : std::nullopt;
}

group_bill leaf::bill() const
{
    group_bill all;
    all.cpu = cpu();
    const auto peak = read_group_file(fd(), "memory.peak");
    std::int64_t bytes = 0;
    if (std::from_chars(peak.data(), peak.data() + peak.size(), bytes).ec == std::errc{})
        all.peak_bytes = bytes;
    all.oom = number_of(read_group_file(fd(), "memory.events"), "oom_kill").value_or(0) > 0;
    if (all.oom)
        all.short_of = short_of();
    return all;
}

} // namespace agentd::jobs
