#include "jobs/clone_child.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

// The child runs in the parent's memory: no sanitizer's book-keeping may see it.
#define AGENTD_UNINSTRUMENTED                                                                      \
    __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined")))

namespace agentd::jobs {
namespace {

constexpr std::size_t stack_bytes = std::size_t{32} << 10; // the child's calls are few and flat
constexpr int signal_count = 64;
constexpr std::size_t signal_set_bytes = 8; // the kernel's sigset_t
constexpr int umask_of_commands = 022;
constexpr int exit_of_failed_child = 127; // nobody sees it: the error is in the orders

// The kernel's struct sigaction, all zero: the default disposition.
struct kernel_sigaction {
    void* handler;
    unsigned long flags;
    void* restorer;
    std::uint64_t mask;
};
constexpr kernel_sigaction default_action{};
constexpr std::uint64_t empty_set = 0;

AGENTD_UNINSTRUMENTED void default_signals()
{
    for (int number = 1; number <= signal_count; ++number) // KILL and STOP refuse, which is right
        ::syscall(SYS_rt_sigaction, number, &default_action, nullptr, signal_set_bytes);
}

AGENTD_UNINSTRUMENTED bool read_limit(int which, rlimit64& into)
{
    return ::syscall(SYS_prlimit64, 0, which, nullptr, &into) == 0;
}

AGENTD_UNINSTRUMENTED bool write_limit(int which, const rlimit64& from)
{
    return ::syscall(SYS_prlimit64, 0, which, &from, nullptr) == 0;
}

AGENTD_UNINSTRUMENTED bool set_mark(const child_orders& orders)
{
    rlimit64 now;
    if (!read_limit(RLIMIT_LOCKS, now))
        return false;
    if (orders.mark > now.rlim_max) // where it does not fit, the environment is the mark
        return true;
    now.rlim_cur = orders.mark;
    return write_limit(RLIMIT_LOCKS, now);
}

// Neither above the hard limit that is in force.
AGENTD_UNINSTRUMENTED bool lower_limit(int which, std::uint64_t soft, std::uint64_t hard)
{
    rlimit64 now;
    if (!read_limit(which, now))
        return false;
    now.rlim_max = hard < now.rlim_max ? hard : now.rlim_max;
    now.rlim_cur = soft < now.rlim_max ? soft : now.rlim_max;
    return write_limit(which, now);
}

AGENTD_UNINSTRUMENTED bool set_limits(const child_orders& orders)
{
    constexpr std::uint64_t to_kill = 2; // XCPU, which may be handled; a little later KILL
    const auto cpu = orders.cpu_seconds;
    const auto file = orders.file_bytes;
    return (orders.mark == 0 || set_mark(orders)) &&
        (cpu == 0 || lower_limit(RLIMIT_CPU, cpu, cpu + to_kill)) &&
        (file == 0 || lower_limit(RLIMIT_FSIZE, file, file)) &&
        (!orders.sets_descriptor_limit ||
            lower_limit(RLIMIT_NOFILE, orders.descriptor_limit, RLIM64_INFINITY));
}

AGENTD_UNINSTRUMENTED void raise_oom_score(child_orders& orders)
{
    const long file = ::syscall(SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY, 0);
    if (file < 0)
        return;
    const long n = ::syscall(SYS_write, file, orders.oom_score, orders.oom_score_size);
    orders.oom_score_set = n > 0; // the descriptor goes with the others
}

AGENTD_UNINSTRUMENTED bool connect(const child_orders& orders)
{
    return ::syscall(SYS_dup3, orders.input_fd, 0, 0) >= 0 &&
        ::syscall(SYS_dup3, orders.output_fd, 1, 0) >= 0 &&
        ::syscall(SYS_dup3, orders.output_fd, 2, 0) >= 0;
}

// Becomes the command; comes back only when a step fails, with errno set.
AGENTD_UNINSTRUMENTED void become(child_orders& orders)
{
    orders.step = child_step::session;
    if (::syscall(SYS_setsid) < 0)
        return;
    orders.step = child_step::workdir;
    if (::syscall(SYS_fchdir, orders.workdir_fd) < 0)
        return;
    ::syscall(SYS_umask, umask_of_commands);
    raise_oom_score(orders);
    orders.step = child_step::limits;
    if (!set_limits(orders))
        return;
    orders.step = child_step::output;
    if (!connect(orders))
        return;
    if (::syscall(SYS_close_range, 3U, ~0U, 0U) < 0)
        return;
    orders.step = child_step::terminal;
    if (orders.takes_terminal && ::syscall(SYS_ioctl, 0, TIOCSCTTY, 0) < 0)
        return;
    orders.step = child_step::exec;
    default_signals();
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &empty_set, nullptr, signal_set_bytes);
    ::syscall(SYS_execve, orders.path, orders.argv, orders.envp);
}

AGENTD_UNINSTRUMENTED int child_main(void* argument)
{
    auto& orders = *static_cast<child_orders*>(argument);
    become(orders);
    orders.error = errno; // the parent's errno, which it keeps a copy of
    for (;;)
        ::syscall(SYS_exit_group, exit_of_failed_child);
}

#if defined(__x86_64__)
// The child must not return into the caller's frames, so it goes straight to its function on
// its own stack; the C library has no wrapper of clone3 that does this.
AGENTD_UNINSTRUMENTED long clone3_call(clone_args& how, int (*function)(void*), void* argument)
{
    long answer = SYS_clone3;
    asm volatile("syscall\n\t"
                 "testq %%rax, %%rax\n\t"
                 "jnz 1f\n\t"
                 "movq %[argument], %%rdi\n\t"
                 "callq *%[function]\n\t"
                 "hlt\n"
                 "1:"
        : "+a"(answer)
        : "D"(&how), "S"(sizeof how), [function] "r"(function), [argument] "r"(argument)
        : "rcx", "r11", "memory", "cc");
    return answer;
}
#else
// Elsewhere clone() does it, without the birth in a cgroup.
long clone3_call(clone_args&, int (*)(void*), void*)
{
    return -ENOSYS;
}
#endif

constexpr std::uint64_t birth_flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;

// What older kernels, other processors and some seccomp filters leave: the C library's clone.
birth clone_without_cgroup(child_orders& orders, std::byte* stack)
{
    int pidfd = -1;
    const int pid = ::clone(
        child_main, stack + stack_bytes, static_cast<int>(birth_flags) | SIGCHLD, &orders, &pidfd);
    return {.pid = pid, .pidfd = pidfd, .error = pid < 0 ? errno : 0};
}

birth clone_on(child_orders& orders, std::byte* stack, int cgroup_fd)
{
    int pidfd = -1;
    clone_args how{};
    how.flags = birth_flags;
    how.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    how.exit_signal = SIGCHLD;
    how.stack = reinterpret_cast<std::uintptr_t>(stack);
    how.stack_size = stack_bytes;
    if (cgroup_fd >= 0) {
        how.flags |= CLONE_INTO_CGROUP;
        how.cgroup = static_cast<std::uint64_t>(cgroup_fd);
    }
    const long answer = clone3_call(how, child_main, &orders);
    if (answer > 0)
        return {.pid = static_cast<pid_t>(answer), .pidfd = pidfd, .error = 0};
    // Some sandboxes say EPERM for a call that they do not know.
    if ((answer == -ENOSYS || answer == -EPERM) && cgroup_fd < 0)
        return clone_without_cgroup(orders, stack);
    return {.pid = -1, .pidfd = -1, .error = static_cast<int>(-answer)};
}

} // namespace

birth clone_child(child_orders& orders, int cgroup_fd)
{
    alignas(16) std::array<std::byte, stack_bytes> stack;
    // No handler of ours may run in the child before its dispositions are the default ones.
    constexpr std::uint64_t all = ~std::uint64_t{0};
    std::uint64_t before = 0;
    const int error_before = errno;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, signal_set_bytes);
    const birth born = clone_on(orders, stack.data(), cgroup_fd);
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, signal_set_bytes);
    errno = error_before;
    return born;
}

} // namespace agentd::jobs
