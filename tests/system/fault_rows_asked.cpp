// The rows of calls that are made only when a job asks for them: a stdin, a terminal, bounds.
#include "tests/system/fault_rows.hpp"

#include <string>
#include <utility>

namespace agentd::testing {
namespace {

row asking(const char* asks, row what)
{
    what.asks = asks;
    if (std::string{asks}.ends_with("_s"))
        what.bound = 100;
    else if (std::string{asks}.ends_with("_bytes"))
        what.bound = 1'000'000;
    return what;
}

faults of_launching(std::string one, std::vector<std::string> paths = {})
{
    return {.inject = {std::move(one)}, .paths = std::move(paths), .whose = traced::pool};
}

faults of_the_child(std::string one, std::vector<std::string> paths = {})
{
    return {.inject = {std::move(one)}, .paths = std::move(paths), .whose = traced::children};
}

} // namespace

std::vector<row> faults_of_input_and_bounds()
{
    const faults no_watch{
        .inject = {"epoll_ctl:error=ENOSPC:when=3"}, .paths = {}, .whose = traced::loop};
    const auto text = quick_command;
    return {
        asking("stdin",
            {"no descriptors for a stdin", of_launching("pipe2:error=EMFILE:when=2"), "pipe2", text,
                "cannot make a pipe for stdin: Too many open files"}),
        asking("stdin",
            {"a stdin that stays blocking", of_launching("fcntl:error=EINVAL:when=2"), "F_SETFL",
                text, "cannot make a pipe for stdin: Invalid argument"}),
        // It runs, and its stdin is at its end.
        asking("stdin",
            {"no watch of a stdin", no_watch, "EPOLL_CTL_ADD", "cat; echo hi; exit 3", nullptr,
                "cannot watch a pipe: No space left on device"}),
        asking("pty",
            {"all terminals are in use", of_launching("openat:error=ENOSPC:when=1", {"/dev/ptmx"}),
                "/dev/ptmx", text, "cannot make a terminal: No space left on device"}),
        asking("pty",
            {"a terminal stays locked", of_launching("ioctl:error=EIO:when=1"), "TIOCSPTLCK", text,
                "cannot make a terminal: Input/output error"}),
        asking("pty",
            {"no descriptor for the job's side", of_launching("ioctl:error=EMFILE:when=2"),
                "TIOCGPTPEER", text, "cannot make a terminal: Too many open files"}),
        asking("pty",
            {"a terminal without a size", of_launching("ioctl:error=EINVAL:when=3"), "TIOCSWINSZ",
                text, "cannot make a terminal: Invalid argument"}),
        asking("pty",
            {"no second descriptor for a terminal", of_launching("fcntl:error=EMFILE:when=1"),
                "F_DUPFD_CLOEXEC", text, "cannot make a terminal: Too many open files"}),
        asking("pty",
            {"a terminal that is not the child's to take",
                of_the_child("ioctl:error=EPERM:when=1", {"PTS"}), "TIOCSCTTY", text,
                "cannot take the terminal: Operation not permitted"}),
        asking("cpu_s",
            {"no limit of CPU time", of_the_child("prlimit64:error=EPERM:when=4"), "RLIMIT_CPU",
                text, "cannot limit the process: Operation not permitted"}),
        asking("file_bytes",
            {"no limit of files", of_the_child("prlimit64:error=EPERM:when=4"), "RLIMIT_FSIZE",
                text, "cannot limit the process: Operation not permitted"}),
    };
}

} // namespace agentd::testing
