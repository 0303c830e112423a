#include "tests/daemon/jobs/scratch_group.hpp"

#include "jobs/cgroup_place.hpp"
#include "tests/daemon/jobs/rig.hpp"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>

namespace agentd::testing {

scratch_group::scratch_group()
{
    const auto mount = jobs::cgroup2_mount(read_text("/proc/self/mountinfo"));
    if (!mount || ::geteuid() != 0 || ::access(mount->folder.c_str(), W_OK) != 0)
        return;
    const auto path = mount->folder + "/agentd-test-" + marker();
    if (::mkdir(path.c_str(), 0755) == 0)
        path_ = path;
}

scratch_group::~scratch_group()
{
    if (!path_.empty())
        ::rmdir(path_.c_str());
}

bool scratch_group::is_there() const
{
    if (path_.empty())
        std::puts("SKIP: no cgroup2 is mounted that this user may write to");
    return !path_.empty();
}

jobs::options in_group(const std::string& path)
{
    auto options = quick();
    options.cgroup = path;
    return options;
}

bool enter(const std::string& path)
{
    const base::unique_fd folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    return folder && jobs::write_group_file(folder.get(), "cgroup.procs", "0") == 0;
}

pid_t plant_in(const std::string& path, const std::string& mark)
{
    const pid_t child = ::fork();
    if (child == 0) {
        ::signal(SIGTERM, SIG_IGN);
        ::setsid();
        if (!enter(path))
            ::_exit(126);
        ::execlp("sleep", "sleep", mark.c_str(), nullptr);
        ::_exit(127);
    }
    return child;
}

namespace {

// The tracee: stops before it goes on, and at its exit.
[[noreturn]] void be_undying(const std::string& group, std::uint64_t mark)
{
    const rlimit64 limit{mark, RLIM64_INFINITY};
    const bool marked = mark == 0 || ::prlimit64(0, RLIMIT_LOCKS, &limit, nullptr) == 0;
    if (!marked || (!group.empty() && !enter(group)) ||
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
        ::_exit(126);
    ::raise(SIGSTOP);
    for (;;)
        ::pause();
}

// The tracer: says who it is, and lets him go when the line is closed.
[[noreturn]] void keep(int line, const std::string& group, std::uint64_t mark)
{
    constexpr int own = 3;
    ::dup2(line, own);
    ::close_range(own + 1, ~0U, 0); // another one's line would not close as long as it is here
    line = own;
    const pid_t kept = ::fork();
    if (kept == 0)
        be_undying(group, mark);
    int status = 0;
    ::waitpid(kept, &status, 0);
    if (!WIFSTOPPED(status))
        ::_exit(126);
    ::ptrace(PTRACE_SETOPTIONS, kept, nullptr, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
    ::ptrace(PTRACE_CONT, kept, nullptr, nullptr);
    char end = 0;
    if (::write(line, &kept, sizeof kept) != sizeof kept || ::read(line, &end, 1) != 0)
        ::_exit(126);
    ::kill(kept, SIGKILL);
    while (::waitpid(kept, &status, 0) == kept && WIFSTOPPED(status))
        ::ptrace(PTRACE_CONT, kept, nullptr, nullptr);
    ::_exit(0);
}

} // namespace

undying::undying(const std::string& group, std::uint64_t mark)
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return;
    line_.reset(ends[0]);
    base::unique_fd its{ends[1]};
    keeper_ = ::fork();
    if (keeper_ == 0) {
        line_.reset();
        keep(its.get(), group, mark);
    }
    its.reset();
    if (::read(line_.get(), &pid_, sizeof pid_) != sizeof pid_)
        pid_ = 0;
}

bool undying::is_there() const
{
    if (pid_ == 0)
        std::puts("SKIP: nothing can be traced here");
    return pid_ != 0;
}

void undying::let_go()
{
    if (!line_)
        return;
    line_.reset();
    ::waitpid(keeper_, nullptr, 0);
    pid_ = 0;
}

} // namespace agentd::testing
