// What a command is born with: nothing of the daemon's but what it is given.
#include "jobs/launcher.hpp"
#include "tests/daemon/jobs/rig.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

using namespace agentd;
using namespace std::chrono_literals;
using testing::rig;
using testing::with_rig;

namespace {

// Sets the soft descriptor limit for as long as it lives.
class soft_limit {
public:
    explicit soft_limit(rlim_t value)
    {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit now = before_;
        now.rlim_cur = value;
        ::setrlimit(RLIMIT_NOFILE, &now);
    }
    ~soft_limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    soft_limit(const soft_limit&) = delete;
    soft_limit& operator=(const soft_limit&) = delete;

private:
    rlimit before_{};
};

} // namespace

TEST_CASE("launch: a command has the descriptors 0, 1 and 2 and no other")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        const base::unique_fd inheritable{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
        ::fcntl(inheritable.get(), F_SETFD, 0);
        const auto end = co_await with.run_foreground("ls /proc/self/fd; readlink /proc/self/fd/0");
        CHECK(end.output.head == "0\n1\n2\n3\n/dev/null\n"); // 3 is ls's own
        const auto same = co_await with.run_foreground(
            "test \"$(readlink /proc/$$/fd/1)\" = \"$(readlink /proc/$$/fd/2)\" && echo same");
        // Inside $(...) 1 is another pipe, of $$ it is the shell's.
        CHECK(same.output.head == "same\n");
    });
}

TEST_CASE("launch: signals have their default dispositions and an empty mask")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        ::signal(SIGPIPE, SIG_IGN);
        sigset_t some, before;
        ::sigemptyset(&some);
        ::sigaddset(&some, SIGUSR1);
        ::pthread_sigmask(SIG_BLOCK, &some, &before);
        const auto end = co_await with.run_foreground(
            "cat /proc/self/status > status; grep -E '^Sig(Blk|Ign|Cgt)' status");
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        ::signal(SIGPIPE, SIG_DFL);
        CHECK(end.output.head ==
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
            "SigCgt:\t0000000000000000\n");
    });
}

TEST_CASE("launch: the environment is the one that was given, and the job's id")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        ::setenv("ANTHROPIC_API_KEY", "canary", 1);
        auto what = with.command("tr '\\0' '\\n' < /proc/$$/environ");
        what.env = {"PATH=/usr/bin:/bin", "A=b c"};
        auto again = what;
        jobs::foreground commands{with.strand, with.shared, base::session_id{"s_test"}};
        const auto end = co_await commands.run(std::move(what));
        CHECK(end.output.head == "PATH=/usr/bin:/bin\nA=b c\n");
        jobs::job one{
            with.strand, with.shared, base::job_id{"0123abcd"}, std::move(again), jobs::place{}};
        const auto job_end = co_await one.run();
        CHECK(job_end.output.head == "PATH=/usr/bin:/bin\nA=b c\nAGENTD_JOB_ID=0123abcd\n");
        ::unsetenv("ANTHROPIC_API_KEY");
    });
}

TEST_CASE("launch: a session of its own, the workspace, umask 022, a raised OOM score")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        ::umask(077);
        const auto end = co_await with.run_foreground(
            "pwd; umask; cut -d' ' -f1,5,6 /proc/$$/stat; cat /proc/self/oom_score_adj; echo $$");
        ::umask(022);
        const auto& text = end.output.head;
        const auto pid = text.substr(text.rfind('\n', text.size() - 2) + 1);
        const auto number = pid.substr(0, pid.size() - 1);
        const auto own = testing::number_in("/proc/self/oom_score_adj");
        CHECK(text ==
            with.folder + "\n0022\n" + number + " " + number + " " + number + "\n" +
                std::to_string(std::min(own + 500, 1000)) + "\n" + pid);
    });
}

TEST_CASE("launch: the soft descriptor limit is the one that is asked for")
{
    auto options = testing::quick();
    options.descriptor_limit = 333;
    const auto test = [](rig& with) -> aio::awaitable<> {
        const auto end = co_await with.run_foreground("ulimit -n");
        CHECK(end.output.head == "333\n");
    };
    with_rig(test, options);
}

TEST_CASE("launch: a workspace that was removed, or is none, is an error that says so")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        const auto gone = with.folder + "/gone";
        ::mkdir(gone.c_str(), 0700);
        const base::unique_fd folder{::open(gone.c_str(), O_RDONLY | O_CLOEXEC)};
        ::rmdir(gone.c_str());
        auto what = with.command("echo hi");
        what.workdir_fd = folder.get();
        jobs::foreground commands{with.strand, with.shared, base::session_id{"s_test"}};
        const auto removed = co_await commands.run(what);
        CHECK(removed.how == jobs::ended::error);
        CHECK(removed.reason == "cannot enter the workspace: No such file or directory");

        const base::unique_fd file{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
        what.workdir_fd = file.get();
        const auto no_folder = co_await commands.run(what);
        CHECK(no_folder.reason == "cannot enter the workspace: Not a directory");
        what.workdir_fd = -1;
        const auto none = co_await commands.run(what);
        CHECK(none.reason == "cannot enter the workspace: Bad file descriptor");
    });
}

TEST_CASE("launch: what exec refuses is an error with its reason, and no zombie")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        const auto end = co_await with.run_job("true " + std::string(300'000, 'x'));
        CHECK(end.how == jobs::ended::error);
        CHECK(end.reason == "cannot run /bin/sh: Argument list too long");
        CHECK_FALSE(end.exit_code);
        CHECK(testing::own_children() == 0);
        const std::string text{"echo a\0b", 8};
        const auto nul = co_await with.run_job(text);
        CHECK(nul.how == jobs::ended::error);
        CHECK(nul.reason == "cannot run a command that contains a NUL");
    });
}

TEST_CASE("launch: without descriptors it is an error, and works again with them")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        // Free numbers below the limit: 0, 1, 2, 3 of the command's four or five.
        for (rlim_t spare = 0; spare < 4; ++spare) {
            std::string reason;
            {
                const base::unique_fd lowest{::fcntl(0, F_DUPFD_CLOEXEC, 0)};
                const soft_limit tight{static_cast<rlim_t>(lowest.get()) + spare};
                const auto end = co_await with.run_job("echo hi");
                reason = end.reason;
            }
            CHECK(reason.find("Too many open files") != std::string::npos);
        }
        const auto end = co_await with.run_job("echo hi");
        CHECK(end.how == jobs::ended::completed);
    });
}

TEST_CASE("launch: takes no longer with a large resident memory")
{
    std::vector<char> large(std::size_t{256} << 20, 'x'); // resident: all of it was written
    const testing::temp_folder folder;
    const base::unique_fd workdir{::open(folder.path().c_str(), O_RDONLY | O_CLOEXEC)};
    jobs::launch_plan plan;
    plan.text = "exit 0";
    plan.workdir_fd = workdir.get();
    auto shortest = std::chrono::steady_clock::duration::max();
    for (int i = 0; i < 20; ++i) {
        const auto began = std::chrono::steady_clock::now();
        const auto child = jobs::launch(plan);
        shortest = std::min(shortest, std::chrono::steady_clock::now() - began);
        REQUIRE(child);
        ::waitpid(child->id.pid, nullptr, 0);
    }
    CHECK(large[large.size() / 2] == 'x');
    MESSAGE("fastest launch: ",
        std::chrono::duration_cast<std::chrono::microseconds>(shortest).count(), " us");
    CHECK(shortest < 5ms); // fork: 10 ms and more at this size
}
