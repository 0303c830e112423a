#include "tests/system/fault_rows.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace agentd::testing {
namespace {

constexpr const char* quick = quick_command;
// Left behind in a session of its own, which it has made by then.
constexpr const char* leaver = "setsid sh -c 'touch up; exec sleep 300' & "
                               "while [ ! -e up ]; do sleep 0.01; done; rm up; echo hi; exit 3";
constexpr const char* stubborn = "trap '' TERM; sleep 300 & echo hi; exit 3";

faults loop(std::string one)
{
    return {.inject = {std::move(one)}, .paths = {}, .whose = traced::loop};
}

faults loop_at(std::string path, std::string one)
{
    return {.inject = {std::move(one)}, .paths = {std::move(path)}, .whose = traced::loop};
}

// Commands are launched on a thread beside the loop's.
faults launcher(std::string one)
{
    return {.inject = {std::move(one)}, .paths = {}, .whose = traced::pool};
}

faults launcher_at(std::string path, std::string one)
{
    return {.inject = {std::move(one)}, .paths = {std::move(path)}, .whose = traced::pool};
}

faults child(std::string one)
{
    return {.inject = {std::move(one)}, .paths = {}, .whose = traced::children};
}

} // namespace

std::vector<row> faults_of_launching()
{
    return {
        {"no descriptor for /dev/null", launcher_at("/dev/null", "openat:error=EMFILE:when=1"),
            "/dev/null", quick, "cannot open /dev/null: Too many open files"},
        {"no descriptors for a pipe", launcher("pipe2:error=EMFILE:when=1"), "pipe2", quick,
            "cannot make a pipe: Too many open files"},
        {"the user's pipes are used up", launcher("pipe2:error=ENFILE:when=1"), "pipe2", quick,
            "cannot make a pipe: Too many open files in system"},
        {"no descriptor for the folder", loop("fcntl:error=EMFILE:when=1"), "F_DUPFD_CLOEXEC",
            quick, "cannot start the job: Too many open files"},
        {"a pipe that stays blocking", launcher("fcntl:error=EINVAL:when=1"), "F_SETFL", quick,
            "cannot make a pipe: Invalid argument"},
        {"no process may be made", launcher("clone3:error=EAGAIN:when=1"), "clone3", quick,
            "cannot start a process: Resource temporarily unavailable"},
        {"no process may be made for bash", launcher("clone3:error=EAGAIN:when=1"), "clone3", quick,
            "cannot start a process: Resource temporarily unavailable", nullptr, with::both,
            by::bash},
        {"no memory for a process", launcher("clone3:error=ENOMEM:when=1"), "clone3", quick,
            "cannot start a process: Cannot allocate memory"},
        {"a group that takes nobody", launcher("clone3:error=EBUSY:when=1"), "CLONE_INTO_CGROUP",
            quick, nullptr, "cannot start a command in its control group: Device or resource busy",
            with::groups},
        {"a kernel without clone3", launcher("clone3:error=ENOSYS:when=1+"), "clone3"},
        {"a sandbox without clone3", launcher("clone3:error=EPERM:when=1+"), "clone3"},
        {"the pidfd is not duplicated", launcher("dup3:error=EBADF:when=1"), "dup3", "sleep 300",
            "cannot watch the process: Bad file descriptor"},
        {"the pidfd is not duplicated, and somebody has left the group meanwhile",
            launcher("dup3:error=EBADF:delay_enter=300000:when=1"), "dup3",
            "setsid sleep 300 & sleep 300", "cannot watch the process: Bad file descriptor"},
        {"no watch of the shell", loop("epoll_ctl:error=ENOSPC:when=1"), "EPOLL_CTL_ADD",
            "sleep 300", "cannot watch the process: No space left on device"},
        {"no second watch of the shell", loop("epoll_ctl:error=ENOMEM:when=2"), "EPOLL_CTL_ADD",
            "sleep 300", "cannot watch the process: Cannot allocate memory"},
        {"no watch of the output", loop("epoll_ctl:error=ENOSPC:when=3"), "EPOLL_CTL_ADD",
            "sleep 300 & sleep 300", "cannot watch the output: No space left on device"},
    };
}

std::vector<row> faults_in_the_child()
{
    std::vector<row> all{
        {"no session", child("setsid:error=EPERM:when=1"), "setsid", quick,
            "cannot start a session: Operation not permitted"},
        {"a folder that may not be entered", child("fchdir:error=EACCES:when=1"), "fchdir", quick,
            "cannot enter the workspace: Permission denied"},
        {"the child may not be more willing to die",
            {.inject = {"openat:error=EACCES:when=1"},
                .paths = {"/proc/self/oom_score_adj"},
                .whose = traced::children},
            "oom_score_adj"},
        {"limits cannot be read", child("prlimit64:error=EPERM:when=1"), "RLIMIT_LOCKS", quick,
            "cannot limit the process: Operation not permitted"},
        {"no mark", child("prlimit64:error=EPERM:when=2"), "RLIMIT_LOCKS", quick,
            "cannot limit the process: Operation not permitted"},
        {"no limit of descriptors", child("prlimit64:error=EPERM:when=4"), "RLIMIT_NOFILE", quick,
            "cannot limit the process: Operation not permitted"},
        {"no stdin", child("dup3:error=EMFILE:when=1"), "dup3", quick,
            "cannot connect the output: Too many open files"},
        {"no stderr", child("dup3:error=EBUSY:when=3"), "dup3", quick,
            "cannot connect the output: Device or resource busy"},
        {"what is open cannot be closed", child("close_range:error=ENOSYS:when=1"), "close_range",
            quick, "cannot connect the output: Function not implemented"},
        {"a failed child is waited for through a signal",
            {.inject = {"execve:error=ENOENT:when=1", "wait4:error=EINTR:when=1..3"},
                .paths = {},
                .whose = traced::children},
            "wait4", quick, "cannot run /bin/sh: No such file or directory"},
        {"no shell for bash", child("execve:error=EACCES:when=1"), "execve", quick,
            "cannot run /bin/sh: Permission denied", nullptr, with::both, by::bash},
    };
    const std::pair<const char*, const char*> refusals[] = {
        {"execve:error=EACCES:when=1", "cannot run /bin/sh: Permission denied"},
        {"execve:error=ENOEXEC:when=1", "cannot run /bin/sh: Exec format error"},
        {"execve:error=E2BIG:when=1", "cannot run /bin/sh: Argument list too long"},
        {"execve:error=ENOMEM:when=1", "cannot run /bin/sh: Cannot allocate memory"},
        {"execve:error=ETXTBSY:when=1", "cannot run /bin/sh: Text file busy"},
    };
    for (const auto& [inject, told] : refusals)
        all.push_back({inject, child(inject), "execve", quick, told});
    return all;
}

std::vector<row> faults_of_ending()
{
    const auto often = [](const char* call, const char* error) {
        return loop(fmt::format("{}:error={}:when=1+", call, error));
    };
    return {
        {"nobody tells how it ended", often("waitid", "ECHILD"), "waitid", quick,
            "cannot learn how the command ended: No child processes"},
        {"a wait that is interrupted", loop("waitid:error=EINTR:when=1..5"), "waitid"},
        {"the group of the shell cannot be signalled", often("kill", "EPERM"), "kill", leaver},
        {"no descriptors for processes", often("pidfd_open", "EMFILE"), "pidfd_open", leaver,
            nullptr, nullptr, with::no_groups},
        {"a kernel without pidfd_open", often("pidfd_open", "ENOSYS"), "pidfd_open", leaver,
            nullptr, nullptr, with::no_groups},
        {"no signal goes through a pidfd", often("pidfd_send_signal", "ENOSYS"),
            "pidfd_send_signal", leaver, nullptr, nullptr, with::no_groups},
        {"members of a group get no TERM", often("pidfd_open", "EMFILE"), "pidfd_open", leaver,
            nullptr, nullptr, with::groups},
        {"a group that does not list its members",
            loop_at("cgroup.procs", "openat:error=EMFILE:when=1+"), "cgroup.procs", leaver, nullptr,
            nullptr, with::groups},
        {"a group that cannot be watched", loop_at("cgroup.events", "openat:error=EMFILE:when=2+"),
            "cgroup.events", stubborn, nullptr, nullptr, with::groups},
        {"a group that cannot be opened", loop_at("cgroup.kill", "openat:error=EMFILE:when=1"),
            "cgroup.kill", leaver, nullptr, "cannot open a control group: Too many open files",
            with::groups},
    };
}

std::vector<row> faults_of_keeping_output()
{
    const auto spool = [](std::string one) {
        return faults{.inject = {std::move(one)}, .paths = {}, .whose = traced::pool};
    };
    auto no_file = spool("openat:error=ENOSPC:when=1+");
    no_file.paths.emplace_back("STATE/jobs");
    auto no_descriptor = spool("openat:error=EMFILE:when=1+");
    no_descriptor.paths.emplace_back("STATE/jobs");
    constexpr const char* told = "cannot keep the output of job";
    return {
        {"the disk takes no file", std::move(no_file), "openat", quick, nullptr, told, with::both,
            by::job, true},
        {"no descriptor for a file", std::move(no_descriptor), "openat", quick, nullptr, nullptr,
            with::both, by::job, true}, // told already, with the first row
        {"the disk is busy", spool("write:error=EAGAIN:when=1"), "\"hi\\n\"",
            "echo hi; sleep 0.3; exit 3", nullptr, nullptr, with::both, by::job, true},
        // Told once per trouble. The sleep: the end of the child is a write of these threads, too.
        {"the disk takes no byte", spool("write:error=EIO:when=1"), "\"hi\\n\"",
            "echo hi; sleep 0.3; exit 3", nullptr, nullptr, with::both, by::job, true},
    };
}

} // namespace agentd::testing
