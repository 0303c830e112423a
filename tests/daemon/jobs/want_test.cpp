// Trees when something is wanting: descriptors, the right to set marks, somebody who reaps. What
// cannot be seen is never taken for gone.
#include "jobs/leader.hpp"
#include "jobs/procfs.hpp"
#include "jobs/tree.hpp"
#include "tests/daemon/jobs/rig.hpp"

#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

using namespace agentd;
using namespace std::chrono_literals;
using testing::rig;
using testing::with_both_means;
using testing::with_rig;

namespace {

void pause_shortly()
{
    pollfd none{};
    ::poll(&none, 0, 1);
}

struct launched_here {
    jobs::children all{jobs::mark_space("/want")};
    testing::temp_folder folder;
    base::unique_fd workdir{::open(folder.path().c_str(), O_RDONLY | O_CLOEXEC)};

    jobs::launched start(std::string text)
    {
        jobs::launch_plan plan;
        plan.text = std::move(text);
        plan.workdir_fd = workdir.get();
        plan.env = {"PATH=/usr/bin:/bin"};
        auto child = all.launch(std::move(plan));
        REQUIRE(child);
        return std::move(*child);
    }
    void end(const jobs::launched_id& id)
    {
        ::kill(-id.pid, SIGKILL);
        all.reap(id, [&id] { ::waitpid(id.pid, nullptr, 0); });
    }
};

std::chrono::nanoseconds own_cpu()
{
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

// Dead children of `pid` that nobody has reaped.
std::size_t corpses_of(pid_t pid)
{
    std::size_t count = 0;
    for (const pid_t child : jobs::children_of(pid)) {
        const auto stat = testing::read_text("/proc/" + std::to_string(child) + "/stat");
        count += stat.find(") Z ") != stat.npos ? 1 : 0;
    }
    return count;
}

aio::awaitable<> run_into(jobs::job& one, jobs::outcome* end, bool* over)
{
    auto ran = co_await one.run();
    *end = std::move(ran);
    *over = true;
}

// What was ready before a turn of the loop has been handled after it (descriptors come before
// timers). An exit takes three to its end: seen, rung for, looked at.
aio::awaitable<> turns_of_the_loop()
{
    constexpr int turns = 10;
    for (int i = 0; i < turns; ++i)
        co_await aio::sleep_for(1ms);
}

// No descriptor can be opened while it lives.
class no_descriptors {
public:
    no_descriptors()
    {
        const base::unique_fd lowest{::fcntl(0, F_DUPFD_CLOEXEC, 0)};
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit now = before_;
        now.rlim_cur = static_cast<rlim_t>(lowest.get());
        ::setrlimit(RLIMIT_NOFILE, &now);
    }
    ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    no_descriptors(const no_descriptors&) = delete;
    no_descriptors& operator=(const no_descriptors&) = delete;

private:
    rlimit before_{};
};

} // namespace

TEST_CASE("want: a live process that reaps nobody does not make a look go round and round")
{
    constexpr std::size_t enough = 150;
    launched_here with;
    const auto child =
        with.start("i=0; while [ $i -lt 200 ]; do sleep 1 & i=$((i+1)); done; exec sleep 300");
    while (corpses_of(child.id.pid) < enough ||
        corpses_of(child.id.pid) != jobs::children_of(child.id.pid).size())
        pause_shortly();
    const auto before_one = own_cpu();
    for (const pid_t pid : jobs::children_of(child.id.pid))
        static_cast<void>(jobs::mark_of(pid));
    const auto one = own_cpu() - before_one;
    jobs::tree processes{with.all, child.id, "", nullptr};
    const auto before = own_cpu();
    processes.look(true);
    const auto took = own_cpu() - before;
    CHECK(processes.living() == 0);
    MESSAGE("a look over ", corpses_of(child.id.pid), " corpses: ", took.count() / 1000,
        " us, their marks alone: ", one.count() / 1000, " us");
    CHECK(took < 50 * one + 2ms); // a hundred times round is beyond 500
    with.end(child.id);
}

TEST_CASE("want: kept leftovers are waited for, and seen to end, without any descriptor")
{
    auto options = testing::quick();
    options.left_behind = jobs::leftovers::keep;
    const auto test = [](rig& with) -> aio::awaitable<> {
        auto what = with.command(
            "(setsid sh -c 'touch up; while [ ! -d go ]; do sleep 0.01; done' &); while [ ! -d "
            "exit ]; do sleep 0.01; done");
        jobs::job one{with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{}};
        jobs::outcome end;
        bool over = false;
        aio::task_group group{with.strand};
        group.spawn("job", run_into(one, &end, &over));
        const auto up = with.folder + "/up";
        const auto is_up = [&up] { return ::access(up.c_str(), F_OK) == 0; };
        co_await testing::until(is_up);
        {
            const no_descriptors none;
            ::mkdir((with.folder + "/exit").c_str(), 0700); // the shell exits
            const auto pid = one.look().pid;
            const auto exited = [pid] {
                siginfo_t info{};
                return ::waitid(P_PID, static_cast<id_t>(pid), &info,
                           WEXITED | WNOHANG | WNOWAIT) == 0 &&
                    info.si_pid == pid;
            };
            co_await testing::until(exited);
            co_await turns_of_the_loop(); // the supervisor has seen it, too
            CHECK_FALSE(over);
            ::mkdir((with.folder + "/go").c_str(), 0700);
            const auto is_over = [&over] { return over; };
            co_await testing::until(is_over);
        }
        co_await group.join();
        CHECK(end.how == jobs::ended::completed);
        CHECK(end.exit_code == 0);
        CHECK(end.leftovers == 0);
    };
    with_both_means(test, options);
}

TEST_CASE("want: a shell whose descriptors cannot be watched is ended, reaped and an error")
{
    REQUIRE(jobs::become_subreaper());
    launched_here with;
    boost::asio::io_context io;
    std::size_t before = 0;
    for (const bool first : {true, true, false}) {
        CAPTURE(first);
        auto child = with.start("exec sleep 300");
        const auto pid = child.id.pid;
        const base::unique_fd observer{
            static_cast<int>(::fcntl(child.pidfd.get(), F_DUPFD_CLOEXEC, 0))};
        constexpr int nobody = 1'000'000; // no descriptor: epoll refuses it
        base::unique_fd& broken = first ? child.watch : child.pidfd;
        broken.reset(nobody);
        child.output.reset();
        const auto strand = aio::make_strand(io.get_executor());
        const auto taken = jobs::leader::attach(strand, with.all, std::move(child));
        REQUIRE_FALSE(taken);
        CHECK(taken.error().text == "cannot watch the process: Bad file descriptor");
        CHECK(jobs::has_died(observer.get()));
        CHECK(::kill(pid, 0) != 0); // reaped
        CHECK(with.all.leaders() == 0);
        if (before == 0) // the first has opened what the loop itself needs
            before = testing::open_descriptors() - 1; // `observer`
    }
    CHECK(testing::open_descriptors() == before);
}

TEST_CASE("want: without room for marks a foreground command's orphans are known all the same")
{
    const pid_t child = ::fork();
    if (child == 0) {
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_LOCKS, &none);
        if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0))
            ::_exit(2);
        ::prctl(PR_SET_DUMPABLE, 1); // else /proc/self is root's
        bool marked = true;
        bool good = false;
        with_rig([&marked, &good](rig& with) -> aio::awaitable<> {
            marked = with.shared.children.marks_fit();
            const auto mark = testing::marker();
            const auto end =
                co_await with.run_foreground("(setsid sleep " + mark + " &); echo hi; exit 3");
            good = end.leftovers == 1 && end.exit_code == 3 && testing::processes_with(mark) == 0;
        });
        ::_exit(good && !marked ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

TEST_CASE("want: who a job's shell is can be told for good")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        auto what = with.command("cut -d' ' -f1,22 /proc/$$/stat");
        jobs::job one{with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{}};
        jobs::process_identity told;
        one.when_launched([&told](jobs::process_identity who) { told = std::move(who); });
        const auto end = co_await one.run();
        CHECK(
            end.output.head == std::to_string(told.pid) + " " + std::to_string(told.start) + "\n");
        CHECK(told.boot_id + "\n" == testing::read_text("/proc/sys/kernel/random/boot_id"));
    });
}
