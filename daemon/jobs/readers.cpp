#include "jobs/readers.hpp"

#include "base/stdin_limits.hpp"
#include "jobs/procfs.hpp"

#include <fmt/format.h>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace agentd::jobs {
namespace {

// The system calls that wait for a descriptor to become readable, by where they name it. The
// older ones exist on some processors alone. Those of 32-bit programs have other numbers: such a
// program's waiting is not recognised.
constexpr long reading_calls[] = {SYS_read, SYS_readv, SYS_preadv2, SYS_splice};
constexpr long copying_calls[] = {SYS_sendfile}; // the second argument
constexpr long polling_calls[] = {
#ifdef SYS_poll
    SYS_poll,
#endif
    SYS_ppoll};
constexpr long selecting_calls[] = {
#ifdef SYS_select
    SYS_select,
#endif
    SYS_pselect6};
constexpr long epoll_calls[] = {
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
    SYS_epoll_pwait, SYS_epoll_pwait2};

// Those that wait for a socket and nothing else.
constexpr long socket_calls[] = {SYS_accept4,
#ifdef SYS_accept
    SYS_accept,
#endif
    SYS_connect, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg};
// Those that wait for a time.
constexpr long sleeping_calls[] = {SYS_nanosleep, SYS_clock_nanosleep};

// What a thread waits for.
struct waits_for {
    bool input = false;  // to be read
    bool socket = false; // the same, or to be connected
    bool time = false;   // and nothing else

    waits_for& operator|=(const waits_for& other)
    {
        input = input || other.input;
        socket = socket || other.socket;
        time = time || other.time;
        return *this;
    }
};

bool is_one_of(std::span<const long> calls, long number)
{
    return std::ranges::find(calls, number) != calls.end();
}

// What a thread does, as /proc/PID/task/TID/syscall has it.
struct activity {
    bool known = false;   // the kernel tells us
    bool in_call = false; // sleeps in a system call
    long number = 0;
    std::array<std::uint64_t, 3> arguments{};
};

activity activity_of(pid_t pid, pid_t thread)
{
    activity now;
    const auto text = read_proc(fmt::format("/proc/{}/task/{}/syscall", pid, thread));
    if (text.empty())
        return now;
    now.known = true;
    const char* const end = text.data() + text.size();
    auto [at, failed] = std::from_chars(text.data(), end, now.number);
    if (failed != std::errc{} || now.number < 0)
        return now; // "running", or asleep for a page
    now.in_call = true;
    for (auto& argument : now.arguments) {
        constexpr std::size_t prefix = 3; // " 0x"
        if (end - at <= static_cast<std::ptrdiff_t>(prefix))
            break;
        at = std::from_chars(at + prefix, end, argument, 16).ptr;
    }
    return now;
}

// Of /proc/PID/stat or that of a thread, behind "PID (NAME) ".
struct status {
    char state = 0; // 0: it is gone
    std::int64_t group = 0, terminal = 0, foreground = 0;
    std::int64_t ticks = 0; // of CPU time
};

status status_in(const std::string& path)
{
    status found;
    const auto text = read_proc(path);
    const auto name_end = text.rfind(')');
    if (name_end == text.npos || name_end + 2 >= text.size())
        return found;
    found.state = text[name_end + 2];
    // From the fourth field on: ppid pgrp session tty_nr tpgid flags ... utime stime (14, 15).
    constexpr std::size_t last_field = 15;
    std::array<std::int64_t, last_field + 1> fields{};
    std::string_view rest{text};
    rest.remove_prefix(name_end + 3);
    for (std::size_t field = 4; field <= last_field && !rest.empty(); ++field) {
        rest.remove_prefix(1);
        std::from_chars(rest.data(), rest.data() + rest.size(), fields[field]);
        rest.remove_prefix(std::min(rest.find(' '), rest.size()));
    }
    found.group = fields[5];
    found.terminal = fields[7];
    found.foreground = fields[8];
    found.ticks = fields[14] + fields[15];
    return found;
}

// A device's number as /proc/PID/stat writes it.
std::int64_t number_in_stat(dev_t device)
{
    const std::int64_t major_part = major(device);
    const std::int64_t minor_part = minor(device);
    return (minor_part & 0xff) | (major_part << 8) | ((minor_part & ~std::int64_t{0xff}) << 12);
}

template <class T>
bool copy_from(pid_t pid, std::uint64_t address, std::span<T> into)
{
    iovec here{into.data(), into.size_bytes()};
    iovec there{reinterpret_cast<void*>(address), into.size_bytes()}; // NOLINT: another process's
    return ::process_vm_readv(pid, &here, 1, &there, 1, 0) ==
        static_cast<ssize_t>(into.size_bytes());
}

// One process and the input that it may read.
struct reader {
    pid_t pid;
    const input_identity& input;
    bool on_terminal; // its controlling terminal is that one

    // Who waits until that can be read.
    [[nodiscard]] waits_for reads(std::uint64_t fd) const
    {
        waits_for what;
        struct stat about{};
        if (::stat(fmt::format("/proc/{}/fd/{}", pid, fd).c_str(), &about) != 0)
            return what;
        what.socket = S_ISSOCK(about.st_mode);
        constexpr unsigned own_terminal = 5; // /dev/tty
        if (input.terminal)
            what.input = S_ISCHR(about.st_mode) &&
                (about.st_rdev == input.device ||
                    (about.st_rdev == makedev(own_terminal, 0) && on_terminal));
        else
            what.input = S_ISFIFO(about.st_mode) && about.st_dev == input.device &&
                about.st_ino == input.inode;
        return what;
    }

    [[nodiscard]] waits_for polls(const activity& now) const
    {
        const auto count = static_cast<std::size_t>(now.arguments[1]);
        waits_for what;
        what.time = count == 0;
        if (count == 0 || count > limits::stall_polled)
            return what;
        std::vector<pollfd> asked(count);
        if (!copy_from(pid, now.arguments[0], std::span{asked}))
            return what;
        for (const auto& one : asked)
            if (one.fd >= 0 && (one.events & (POLLIN | POLLRDNORM)) != 0)
                what |= reads(static_cast<std::uint64_t>(one.fd));
        return what;
    }

    [[nodiscard]] waits_for selects(const activity& now) const
    {
        constexpr std::size_t bits = 64;
        const auto count = static_cast<std::size_t>(now.arguments[0]);
        waits_for what;
        what.time = count == 0;
        if (count == 0 || count > limits::stall_polled || now.arguments[1] == 0)
            return what;
        std::vector<std::uint64_t> set((count + bits - 1) / bits);
        if (!copy_from(pid, now.arguments[1], std::span{set}))
            return what;
        for (std::size_t fd = 0; fd < count; ++fd)
            if ((set[fd / bits] >> (fd % bits) & 1U) != 0)
                what |= reads(fd);
        return what;
    }

    // "tfd:        0 events:       19 data: ..." for each descriptor that is watched.
    [[nodiscard]] waits_for watches(const activity& now) const
    {
        waits_for what;
        const auto text = read_proc(fmt::format("/proc/{}/fdinfo/{}", pid, now.arguments[0]));
        constexpr std::string_view fd_name{"tfd:"}, events_name{"events:"};
        std::string_view rest{text};
        for (auto at = rest.find(fd_name); at != rest.npos; at = rest.find(fd_name)) {
            rest.remove_prefix(at + fd_name.size());
            const auto fd = number_after_blanks(rest, 10);
            const auto events_at = rest.find(events_name);
            if (events_at == rest.npos)
                break;
            const auto events =
                number_after_blanks(rest.substr(events_at + events_name.size()), 16);
            if ((events & (EPOLLIN | EPOLLRDNORM)) != 0)
                what |= reads(fd);
        }
        return what;
    }

    [[nodiscard]] waits_for waits(const activity& now) const
    {
        if (is_one_of(reading_calls, now.number))
            return reads(now.arguments[0]);
        if (is_one_of(copying_calls, now.number))
            return reads(now.arguments[1]);
        if (is_one_of(polling_calls, now.number))
            return polls(now);
        if (is_one_of(selecting_calls, now.number))
            return selects(now);
        if (is_one_of(epoll_calls, now.number))
            return watches(now);
        waits_for what;
        what.socket = is_one_of(socket_calls, now.number);
        what.time = is_one_of(sleeping_calls, now.number);
        return what;
    }

    static std::uint64_t number_after_blanks(std::string_view text, int base)
    {
        std::uint64_t number = 0;
        text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
        std::from_chars(text.data(), text.data() + text.size(), number, base);
        return number;
    }
};

// What one process adds to the look; false: somebody in it works.
bool add_process(
    pid_t pid, const input_identity& input, std::size_t& threads_left, stall_watch::look& found)
{
    const auto whole = status_in(fmt::format("/proc/{}/stat", pid));
    if (whole.state == 0 || whole.state == 'Z')
        return true;
    static const long tick_ms = 1000 / std::max(1L, ::sysconf(_SC_CLK_TCK));
    found.cpu += std::chrono::milliseconds{whole.ticks * tick_ms};
    const bool on_terminal = input.terminal && whole.terminal == number_in_stat(input.device);
    const reader one{pid, input, on_terminal};
    waits_for all;
    for (const pid_t thread : threads_of(pid)) {
        if (threads_left-- == 0)
            return false;
        const auto about = status_in(fmt::format("/proc/{}/task/{}/stat", pid, thread));
        if (about.state == 'R' || about.state == 'D')
            return false;
        const auto now = activity_of(pid, thread);
        if (now.known && !now.in_call && about.state == 'S')
            return false;
        const bool hidden_prompt = !now.known && input.secret && on_terminal && thread == pid &&
            about.state == 'S' && whole.group == whole.foreground;
        all.input = all.input || hidden_prompt;
        if (now.in_call)
            all |= one.waits(now);
        if (all.time)
            return false;
    }
    found.waits = found.waits || (all.input && !all.socket);
    return true;
}

} // namespace

stall_watch::look look_for_readers(const std::vector<pid_t>& tree, const input_identity& input)
{
    stall_watch::look found;
    if (tree.size() > limits::stall_processes)
        return found;
    std::size_t threads_left = limits::stall_threads;
    for (const pid_t pid : tree)
        if (!add_process(pid, input, threads_left, found))
            return {};
    return found;
}

} // namespace agentd::jobs
