// What the next start finds of a run that was killed, and what it leaves alone. The processes
// here are put there by hand: each carries one sign only.
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "jobs/children.hpp"
#include "jobs/former.hpp"
#include "tests/daemon/jobs/rig.hpp"
#include "tests/daemon/jobs/scratch_group.hpp"

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>

using namespace agentd;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t space = 77; // nobody's
constexpr std::uint64_t own_mark =
    (std::uint64_t{1} << 62) | (std::uint64_t{space} << 32) | 1; // that space's

// How often this thread has read anything; 0: that is not counted here.
int reads()
{
    const auto text = testing::read_text("/proc/thread-self/io");
    const auto at = text.find("syscr: ");
    return at == text.npos ? 0 : std::atoi(text.c_str() + at + 7); // NOLINT: the kernel's text
}

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
        // Looked at once: who is just executing `sleep` has no command line for a moment.
        bool sleeps = testing::processes_with(sleeping) != 0;
        while (!sleeps && std::chrono::steady_clock::now() < until) {
            ::poll(nullptr, 0, 1);
            sleeps = testing::processes_with(sleeping) != 0;
        }
        CHECK(sleeps);
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
    CHECK(jobs::end_former_commands(space, recycled).ended == 0);
    CHECK_FALSE(shell.was_killed());

    jobs::former_run right;
    right.shells = {known};
    CHECK(jobs::end_former_commands(space, right).ended >= 2); // the shell and a sleep, or two
    CHECK(shell.was_killed());
    CHECK(shell.left() == 0);
}

TEST_CASE("former: who descends from a job's shell is ended, whatever session it is in")
{
    stranger shell{"env -i setsid --wait sleep @; :"};
    jobs::former_run right;
    right.shells = {shell.identity()};
    CHECK(jobs::end_former_commands(space, right).ended == 2);
    CHECK(shell.left() == 0);
    CHECK(shell.was_killed());
}

TEST_CASE("former: who has the id of what was running in its environment is ended, no other")
{
    stranger ours{"exec sleep @", {"AGENTD_JOB_ID=0123abcd"}};
    stranger other{"exec sleep @", {"AGENTD_JOB_ID=0123abce"}};
    CHECK(jobs::end_former_commands(space).ended == 0);
    jobs::former_run known;
    known.variables = {"AGENTD_JOB_ID=0123abcd", "AGENTD_TASK_ID=t_aaaaaaaaaa"};
    const auto spared = static_cast<pid_t>(ours.identity().pid);
    CHECK(jobs::end_former_commands(space, known, spared).ended == 0);
    CHECK(jobs::end_former_commands(space, known).ended == 1);
    CHECK(ours.was_killed());
    CHECK_FALSE(other.was_killed());
    CHECK(other.left() == 1);
}

TEST_CASE("former: the dead that nobody reaps are not counted, and not waited for")
{
    const pid_t dead = ::fork();
    if (dead == 0) {
        const rlimit64 limit{own_mark, RLIM64_INFINITY};
        ::prlimit64(0, RLIMIT_LOCKS, &limit, nullptr);
        ::_exit(0);
    }
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(dead), &info, WEXITED | WNOWAIT) == 0);
    CHECK(jobs::is_marked(dead, space));
    CHECK(jobs::end_former_commands(space).ended == 0);
    ::waitpid(dead, nullptr, 0);
}

TEST_CASE("former: who does not die takes no more than the time there is, and is told")
{
    const testing::undying stuck{"", own_mark};
    if (!stuck.is_there())
        return;
    stranger other{"exec sleep @", {"AGENTD_JOB_ID=0123abcd"}};
    jobs::former_run known;
    known.variables = {"AGENTD_JOB_ID=0123abcd"};
    const auto began = base::mono_now();
    const auto end = jobs::end_former_commands(space, known, 0, began + 300ms);
    CHECK(base::elapsed_since(began) >= 300ms);
    CHECK(base::elapsed_since(began) < limits::former_end);
    CHECK(end.ended == 1);
    CHECK(other.was_killed());
    REQUIRE(end.alive.size() == 1);
    CHECK(end.alive.front().pid == stuck.pid());
    CHECK(end.alive.front().start == jobs::start_of(stuck.pid()));

    // The next time it is waited for a moment alone, and another one is found all the same.
    stranger more{"exec sleep @", {"AGENTD_JOB_ID=0123abcd"}};
    known.stuck = end.alive;
    const auto again = base::mono_now();
    const auto next = jobs::end_former_commands(space, known);
    CHECK(base::elapsed_since(again) < limits::former_end);
    CHECK(next.ended == 1);
    CHECK(next.alive.size() == 1);
    CHECK(more.was_killed());
}

TEST_CASE("former: a look reads each process's parent once, however many shells there are")
{
    if (reads() == 0) {
        std::puts("SKIP: what is read is not counted here");
        return;
    }
    constexpr std::size_t many = 8;
    constexpr std::size_t looks = 3; // as long as shells live
    std::vector<std::unique_ptr<stranger>> shells;
    jobs::former_run known;
    for (std::size_t i = 0; i < many; ++i) {
        shells.push_back(std::make_unique<stranger>("exec sleep @"));
        known.shells.push_back(shells.back()->identity());
    }
    const auto everybody = static_cast<int>(testing::processes_with("") + 1);
    const int before = reads();
    CHECK(jobs::end_former_commands(space, known).ended == many);
    const int took = reads() - before;
    CHECK(took >= everybody);
    CHECK(took < everybody * 2 * static_cast<int>(looks) + 500); // two calls read one
}

TEST_CASE("former: an environment that is empty is no reason to wait")
{
    stranger empty{"exec env -i sleep @"};
    const auto pid = static_cast<pid_t>(empty.identity().pid);
    while (testing::read_text("/proc/" + std::to_string(pid) + "/comm") != "sleep\n") // or env yet
        ::poll(nullptr, 0, 1);
    const int before = reads();
    CHECK(jobs::variables_of(pid).empty());
    CHECK(reads() - before < 20);
    CHECK(jobs::has_variable(pid, "AGENTD_JOB_ID=1") == false);
}

TEST_CASE("former: who executes one program after the other is never taken for one without a name")
{
    constexpr const char* again = "exec /bin/sh -c \"$0\" \"$0\"";
    const pid_t restless = ::fork();
    if (restless == 0) {
        const char* const environment[] = {"AGENTD_JOB_ID=0123abcd", nullptr};
        ::execle("/bin/sh", "sh", "-c", again, again, nullptr, environment);
        ::_exit(127);
    }
    while (!testing::read_text("/proc/" + std::to_string(restless) + "/cmdline")
            .starts_with(std::string{"/bin/sh"}))
        ::poll(nullptr, 0, 1);
    int seen = 0, hidden = 0;
    for (int i = 0; i < 2000; ++i) {
        const auto named = jobs::has_variable(restless, "AGENTD_JOB_ID=0123abcd");
        seen += named == true ? 1 : 0;
        hidden += named ? 0 : 1;
    }
    MESSAGE("seen ", seen, " times, hidden ", hidden);
    CHECK(seen + hidden == 2000);
    CHECK(seen > 0);
    ::kill(restless, SIGKILL);
    ::waitpid(restless, nullptr, 0);
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
