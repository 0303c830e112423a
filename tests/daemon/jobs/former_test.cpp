// What the next start finds of a run that was killed, and what it leaves alone. The processes
// here are put there by hand: each carries one sign only.
#include "jobs/children.hpp"
#include "jobs/former.hpp"
#include "jobs/run_record.hpp"
#include "tests/daemon/jobs/rig.hpp"
#include "tests/daemon/jobs/scratch_group.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>

using namespace agentd;
using testing::scratch_group;

namespace {

constexpr std::uint32_t space = 77; // nobody's

// `text` with @ replaced by a marker, run by a shell in a session of its own with no environment
// but this. It sleeps somewhere when this returns.
class stranger {
public:
    explicit stranger(std::string text, std::vector<std::string> environment = {})
        : marker_(testing::marker())
    {
        for (auto at = text.find('@'); at != text.npos; at = text.find('@'))
            text.replace(at, 1, marker_);
        environment.emplace_back("PATH=/usr/bin:/bin");
        pid_ = ::fork();
        if (pid_ == 0) {
            ::setsid();
            std::vector<char*> env;
            for (auto& entry : environment)
                env.push_back(entry.data());
            env.push_back(nullptr);
            ::execle("/bin/sh", "sh", "-c", text.c_str(), nullptr, env.data());
            ::_exit(127);
        }
        const auto sleeping = std::string{"sleep"} + '\0' + marker_;
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
        while (testing::processes_with(sleeping) == 0 && std::chrono::steady_clock::now() < until)
            ::poll(nullptr, 0, 1);
        CHECK(testing::processes_with(sleeping) != 0);
    }
    ~stranger()
    {
        if (pid_ != 0) {
            ::kill(-pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    stranger(const stranger&) = delete;
    stranger& operator=(const stranger&) = delete;

    [[nodiscard]] jobs::process_identity identity() const
    {
        return {pid_, jobs::start_of(pid_), jobs::boot_id()};
    }
    [[nodiscard]] std::size_t left() const { return testing::processes_with(marker_); }
    // False: it lives.
    bool was_killed()
    {
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) != pid_)
            return false;
        pid_ = 0;
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }

private:
    std::string marker_;
    pid_t pid_;
};

} // namespace

TEST_CASE("former: a job's shell is known by number, start and boot, and what hangs on it with it")
{
    stranger shell{"(env -i sleep @ &); sleep @; :"};
    auto known = shell.identity();
    jobs::former_run recycled;
    recycled.shells = {{known.pid, known.start + 1, known.boot_id},
        {known.pid, known.start, "another boot"}, {known.pid, 0, known.boot_id}};
    CHECK(jobs::end_former_commands(space, recycled) == 0);
    CHECK_FALSE(shell.was_killed());

    jobs::former_run right;
    right.shells = {known};
    CHECK(jobs::end_former_commands(space, right) >= 2); // the shell and a sleep, or two
    CHECK(shell.was_killed());
    CHECK(shell.left() == 0);
}

TEST_CASE("former: who descends from a job's shell is ended, whatever session it is in")
{
    stranger shell{"env -i setsid --wait sleep @; :"};
    jobs::former_run right;
    right.shells = {shell.identity()};
    CHECK(jobs::end_former_commands(space, right) == 2);
    CHECK(shell.left() == 0);
    CHECK(shell.was_killed());
}

TEST_CASE("former: who has the id of what was running in its environment is ended, no other")
{
    stranger ours{"exec sleep @", {"AGENTD_JOB_ID=0123abcd"}};
    stranger other{"exec sleep @", {"AGENTD_JOB_ID=0123abce"}};
    CHECK(jobs::end_former_commands(space) == 0);
    jobs::former_run known;
    known.variables = {"AGENTD_JOB_ID=0123abcd", "AGENTD_TASK_ID=t_aaaaaaaaaa"};
    CHECK(jobs::end_former_commands(space, known, static_cast<pid_t>(ours.identity().pid)) ==
        0); // spared
    CHECK(jobs::end_former_commands(space, known) == 1);
    CHECK(ours.was_killed());
    CHECK_FALSE(other.was_killed());
    CHECK(other.left() == 1);
}

TEST_CASE("former: the dead that nobody reaps are not counted, and not waited for")
{
    const pid_t dead = ::fork();
    if (dead == 0) {
        rlimit64 limit{
            (std::uint64_t{1} << 62) | (std::uint64_t{space} << 32) | 1, RLIM64_INFINITY};
        ::prlimit64(0, RLIMIT_LOCKS, &limit, nullptr);
        ::_exit(0);
    }
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(dead), &info, WEXITED | WNOWAIT) == 0);
    CHECK(jobs::is_marked(dead, space));
    CHECK(jobs::end_former_commands(space) == 0);
    ::waitpid(dead, nullptr, 0);
}

TEST_CASE("former: a mark in the environment is this daemon's by its space alone")
{
    const auto mark = [](std::uint64_t of) {
        return "AGENTD_MARK=" + std::to_string((std::uint64_t{1} << 62) | (of << 32) | 5);
    };
    CHECK(jobs::is_mark_variable(mark(space), space));
    CHECK_FALSE(jobs::is_mark_variable(mark(space + 1), space));
    CHECK_FALSE(jobs::is_mark_variable("AGENTD_MARK=5", space));
    CHECK_FALSE(jobs::is_mark_variable("AGENTD_MARK=", space));
    CHECK_FALSE(jobs::is_mark_variable("PATH=/bin", space));
}

TEST_CASE("record: there as long as a run has not ended in order, and only a path of groups counts")
{
    const testing::temp_folder folder;
    const jobs::run_record record{folder.path() + "/jobs"};
    CHECK_FALSE(record.read());
    const auto path = "/sys/fs/cgroup/" + jobs::subtree_name("7:1/jobs");
    REQUIRE(record.write(path));
    CHECK(record.read() == path);
    for (const std::string wrong :
        {"", "/etc", "/sys/fs/cgroup/agentd-1", "agentd-0123456789abcdef",
            "/x/agentd-0123456789abcdeg", "/x/agentd-0123456789abcdef/job-1"}) {
        REQUIRE(record.write(wrong));
        CHECK(record.read() == "");
    }
    record.remove();
    CHECK_FALSE(record.read());
    const jobs::run_record nowhere{folder.path() + "/none/jobs"};
    CHECK_FALSE(nowhere.write(path));
}

TEST_CASE("record: the identity stays with the folder wherever that is moved or looked at")
{
    const testing::temp_folder folder;
    const auto state = folder.path() + "/state";
    REQUIRE(::mkdir(state.c_str(), 0700) == 0);
    const auto usual = jobs::identity_of(state + "/jobs");
    REQUIRE(::symlink("state", (folder.path() + "/link").c_str()) == 0);
    CHECK(jobs::identity_of(folder.path() + "/link/jobs") == usual);
    std::filesystem::rename(state, folder.path() + "/moved");
    CHECK(jobs::identity_of(folder.path() + "/moved/jobs") == usual);
    REQUIRE(::mkdir(state.c_str(), 0700) == 0);
    CHECK(jobs::identity_of(state + "/jobs") != usual);
}

TEST_CASE("leaves: what is left in the recorded groups is ended, whatever the setting is now")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const testing::temp_folder folder;
    jobs::options with;
    with.spool.folder = folder.path() + "/jobs";
    with.cgroup = "off";
    const auto path = group.path() + "/" + jobs::subtree_name("1:2/moved");
    REQUIRE(::mkdir(path.c_str(), 0755) == 0);
    const auto mark = testing::marker();
    const pid_t child = testing::plant_in(path, mark);
    while (testing::processes_with(mark) == 0)
        ::poll(nullptr, 0, 1);
    const jobs::run_record record{with.spool.folder};
    REQUIRE(record.write(path));

    testing::run_coro([&with](aio::executor strand) -> aio::awaitable<> {
        aio::blocking_pool blocking{1};
        jobs::environment next{strand, blocking, with};
        CHECK_FALSE(next.ended_in_order());
        const auto opened = next.open();
        CHECK(opened);
        CHECK_FALSE(next.ended_in_order()); // it has begun
        co_await next.close();
        CHECK(next.ended_in_order());
    });
    CHECK(testing::processes_with(mark) == 0);
    CHECK(::waitpid(child, nullptr, 0) == -1); // it was a child: reaped by the sweep
    CHECK(::access(path.c_str(), F_OK) != 0);
}
