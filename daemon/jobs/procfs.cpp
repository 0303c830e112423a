#include "jobs/procfs.hpp"

#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "jobs/cgroup_place.hpp"
#include "jobs/children.hpp"

#include <fmt/format.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <string>

namespace agentd::jobs {
namespace {

// Far above any environment or list that is worth reading.
constexpr std::size_t proc_file_bytes = std::size_t{1} << 20;

std::string read_file(const std::string& path)
{
    std::string text;
    const base::unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file)
        return text;
    std::array<char, 4096> block; // what the kernel gives at once
    while (text.size() < proc_file_bytes) {
        const auto n = ::read(file.get(), block.data(), block.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        text.append(block.data(), static_cast<std::size_t>(n));
    }
    return text;
}

// All that `file` has, from its beginning.
std::string read_again(int file)
{
    std::string text;
    std::array<char, 4096> block;
    while (file >= 0 && text.size() < proc_file_bytes) {
        const auto n = ::pread(file, block.data(), block.size(), static_cast<off_t>(text.size()));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        text.append(block.data(), static_cast<std::size_t>(n));
    }
    return text;
}

// The number at the beginning of `text`, blanks before it skipped; 0: none.
template <class Number>
Number leading_number(std::string_view text)
{
    Number number = 0;
    const auto start = text.find_first_not_of(' ');
    if (start != text.npos)
        std::from_chars(text.data() + start, text.data() + text.size(), number);
    return number;
}

void append_numbers(std::string_view text, std::vector<pid_t>& numbers)
{
    while (!text.empty()) {
        const auto end = text.find(' ');
        if (const auto number = leading_number<pid_t>(text.substr(0, end)); number > 0)
            numbers.push_back(number);
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
}

// False: a thread of the kernel, a dead process, or one that this user may not look at.
bool executes_something(pid_t pid)
{
    std::array<char, 1> begin{};
    const auto path = fmt::format("/proc/{}/exe", pid);
    return ::readlink(path.c_str(), begin.data(), begin.size()) > 0;
}

// Where the kernel has a process's environment; end 0: it executes a program just now, whose
// environment has no place yet (or we may not know).
struct memory_range {
    std::uint64_t start = 0, end = 0;
    bool operator==(const memory_range&) const = default;
};

// The words of /proc/PID/stat behind "PID (NAME)", which may hold anything; the first is the state.
std::vector<std::string> words_of_stat(pid_t pid)
{
    const auto text = read_file(fmt::format("/proc/{}/stat", pid));
    const auto name_end = text.rfind(')');
    if (name_end == text.npos)
        return {};
    return words_of(std::string_view{text}.substr(name_end + 1));
}

memory_range environment_place(pid_t pid)
{
    constexpr std::size_t start_word = 47; // fields 50 and 51
    const auto words = words_of_stat(pid);
    if (words.size() <= start_word + 1)
        return {};
    return {leading_number<std::uint64_t>(words[start_word]),
        leading_number<std::uint64_t>(words[start_word + 1])};
}

// While a process executes another program its environment reads as empty. nullopt: it does that
// now; an environment that is empty is told from it by its place, which is then there.
std::optional<std::string> environment_now(pid_t pid)
{
    const auto path = fmt::format("/proc/{}/environ", pid);
    auto text = read_file(path);
    if (!text.empty() || !executes_something(pid))
        return text;
    const auto before = environment_place(pid);
    text = read_file(path);
    if (!text.empty() || !executes_something(pid))
        return text;
    if (before.end == 0 || environment_place(pid) != before)
        return std::nullopt;
    return text;
}

std::vector<std::string> entries_of(std::string_view environment)
{
    std::vector<std::string> all;
    while (!environment.empty()) {
        const auto end = environment.find('\0');
        all.emplace_back(environment.substr(0, end));
        environment.remove_prefix(end == environment.npos ? environment.size() : end + 1);
    }
    return all;
}

} // namespace

base::unique_fd open_process(pid_t pid)
{
    return base::unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U))};
}

std::vector<pid_t> children_of_thread(pid_t pid, pid_t thread)
{
    std::vector<pid_t> found;
    append_numbers(read_file(fmt::format("/proc/{}/task/{}/children", pid, thread)), found);
    return found;
}

base::unique_fd open_children_of_thread(pid_t pid, pid_t thread)
{
    const auto path = fmt::format("/proc/{}/task/{}/children", pid, thread);
    return base::unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
}

std::vector<pid_t> read_children(int list)
{
    std::vector<pid_t> found;
    append_numbers(read_again(list), found);
    return found;
}

std::int64_t start_of(pid_t pid)
{
    constexpr std::size_t start_word = 19; // field 22
    const auto words = words_of_stat(pid);
    return words.size() > start_word ? leading_number<std::int64_t>(words[start_word]) : 0;
}

std::chrono::microseconds cpu_of(pid_t pid, pid_t parent)
{
    // Fields 14 to 17: utime stime cutime cstime. The 4th is the parent.
    constexpr std::size_t parent_word = 1;
    constexpr std::size_t first_word = 11;
    constexpr std::size_t times = 4;
    const auto words = words_of_stat(pid);
    if (words.size() < first_word + times || leading_number<pid_t>(words[parent_word]) != parent)
        return {};
    std::int64_t ticks = 0;
    for (std::size_t i = first_word; i < first_word + times; ++i)
        ticks += leading_number<std::int64_t>(words[i]);
    static const std::int64_t tick_us = 1'000'000 / ::sysconf(_SC_CLK_TCK);
    return std::chrono::microseconds{ticks * tick_us};
}

const std::string& boot_id()
{
    static const std::string id = [] {
        auto text = read_file("/proc/sys/kernel/random/boot_id");
        text.resize(std::min(text.find('\n'), text.size()));
        return text;
    }();
    return id;
}

std::vector<pid_t> threads_of(pid_t pid)
{
    std::vector<pid_t> found;
    const auto path = fmt::format("/proc/{}/task", pid);
    const std::unique_ptr<DIR, int (*)(DIR*)> threads{::opendir(path.c_str()), ::closedir};
    if (!threads)
        return found;
    while (const dirent* entry = ::readdir(threads.get()))
        if (const auto thread = leading_number<pid_t>(entry->d_name); thread > 0)
            found.push_back(thread);
    return found;
}

std::string read_proc(const std::string& path)
{
    return read_file(path);
}

std::vector<pid_t> children_of(pid_t pid)
{
    std::vector<pid_t> found;
    for (const pid_t thread : threads_of(pid))
        append_numbers(read_file(fmt::format("/proc/{}/task/{}/children", pid, thread)), found);
    return found;
}

bool has_died(int pidfd)
{
    pollfd about{.fd = pidfd, .events = POLLIN, .revents = 0};
    return ::poll(&about, 1, 0) == 1;
}

pid_t parent_of(pid_t pid)
{
    // "PID (NAME) STATE PPID ...": the name may hold anything, also ") ".
    const auto text = read_file(fmt::format("/proc/{}/stat", pid));
    const auto name_end = text.rfind(')');
    constexpr std::size_t to_parent = 3; // ") S "
    if (name_end == text.npos || name_end + to_parent >= text.size())
        return 0;
    return leading_number<pid_t>(std::string_view{text}.substr(name_end + to_parent));
}

std::vector<std::string> variables_of(pid_t pid)
{
    const auto last = base::mono_now() + exec_patience;
    auto text = environment_now(pid);
    while (!text && base::mono_now() < last) {
        ::sched_yield();
        text = environment_now(pid);
    }
    return entries_of(text.value_or(std::string{}));
}

std::optional<bool> has_variable(pid_t pid, std::string_view variable)
{
    if (variable.empty())
        return false;
    const auto text = environment_now(pid);
    if (!text)
        return std::nullopt;
    const auto all = entries_of(*text);
    return std::ranges::find(all, variable) != all.end();
}

std::uint64_t mark_from_limits(pid_t pid)
{
    constexpr std::string_view line = "Max file locks";
    const auto text = read_file(fmt::format("/proc/{}/limits", pid));
    const auto at = text.find(line);
    if (at == text.npos)
        return 0;
    const auto limit =
        leading_number<std::uint64_t>(std::string_view{text}.substr(at + line.size()));
    return is_mark(limit) ? limit : 0;
}

} // namespace agentd::jobs
