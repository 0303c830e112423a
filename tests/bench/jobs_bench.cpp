// From a job's exit to its queued notification while hundreds of jobs live: the job's last act
// is to write down the time; the end is when a follower of the events has read
// `notification.queued`, which comes after the transaction that queues it. One after the other,
// and many in the same moment. The floor, in the same run: a bare program that waits for as many
// children by pidfd and epoll. With control groups and without.
// `jobs_bench [LIVE]`: so many jobs live all the time (512 by default), as many more end.
#define DOCTEST_CONFIG_IMPLEMENT
#include "base/unique_fd.hpp"
#include "tests/bench/exit_board.hpp"
#include "tests/bench/floor.hpp"
#include "tests/support/harness/world.hpp"
#include "tests/system/scenario.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace agentd::testing;
using namespace agentd::bench;
using agentd::base::unique_fd;

constexpr std::size_t jobs_of_session = 32;
std::size_t live = 512;

std::size_t sessions()
{
    return 2 * live / jobs_of_session;
}

std::string exit_job_path()
{
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "exit_job";
}

class shared_board {
public:
    explicit shared_board(const std::string& path)
        : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600))
    {
        REQUIRE(::ftruncate(file_.get(), sizeof(exit_board)) == 0);
        constexpr int access = PROT_READ | PROT_WRITE;
        void* const at = ::mmap(nullptr, sizeof(exit_board), access, MAP_SHARED, file_.get(), 0);
        REQUIRE(at != MAP_FAILED);
        board_ = static_cast<exit_board*>(at);
    }
    ~shared_board() { ::munmap(board_, sizeof(exit_board)); }
    shared_board(const shared_board&) = delete;
    shared_board& operator=(const shared_board&) = delete;

    [[nodiscard]] exit_slot& slot(std::size_t number) const { return board_->slots[number]; }
    [[nodiscard]] std::size_t waiting() const
    {
        std::size_t count = 0;
        while (count < exit_board::most && board_->slots[count].pid != 0)
            ++count;
        return count;
    }

private:
    unique_fd file_;
    exit_board* board_ = nullptr;
};

std::int64_t now_ns()
{
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        clock_type::now().time_since_epoch())
        .count();
}

double since(const exit_slot& ended, std::int64_t now)
{
    return static_cast<double>(now - ended.ended_ns) / 1000;
}

struct figures {
    double p50 = 0, p99 = 0, longest = 0;
};

figures of(std::vector<double> values)
{
    return {share(values, 0.5), share(values, 0.99), share(values, 1)};
}

void print(std::string_view what, const figures& f)
{
    fmt::print("{:<46} median {:>6.0f} us, p99 {:>6.0f} us, longest {:>6.0f} us\n", what, f.p50,
        f.p99, f.longest);
}

// --- the floor: no daemon at all

figures measure_floor()
{
    const scratch_folder folder;
    const shared_board board{folder / "board"};
    std::string path = exit_job_path(), file = folder / "board";
    char* const argv[] = {path.data(), file.data(), nullptr};
    char* const env[] = {nullptr};
    const unique_fd events{::epoll_create1(EPOLL_CLOEXEC)};
    std::map<pid_t, unique_fd> children;
    const auto count = live + live / 2;
    for (std::size_t i = 0; i < count; ++i) {
        pid_t pid = 0;
        REQUIRE(::posix_spawn(&pid, path.c_str(), nullptr, nullptr, argv, env) == 0);
        unique_fd child{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
        epoll_event ends{.events = EPOLLIN, .data = {.fd = pid}};
        REQUIRE(::epoll_ctl(events.get(), EPOLL_CTL_ADD, child.get(), &ends) == 0);
        children.emplace(pid, std::move(child));
    }
    const auto until = clock_type::now() + patience();
    while (board.waiting() < count) {
        REQUIRE(clock_type::now() < until);
        ::sched_yield();
    }
    std::vector<double> took;
    for (std::size_t i = 0; i < count; ++i) {
        ::kill(board.slot(i).pid, SIGUSR1);
        epoll_event end{};
        REQUIRE(::epoll_wait(events.get(), &end, 1, 10'000) == 1);
        const auto now = now_ns();
        ::waitpid(end.data.fd, nullptr, 0);
        children.erase(end.data.fd);
        if (i < live / 2) // while as many live as in the daemon
            took.push_back(since(board.slot(i), now));
    }
    return of(std::move(took));
}

// --- the daemon

std::string many_jobs(const std::string& command)
{
    std::vector<js::value> calls(jobs_of_session, background(command));
    js::object held;
    held["reply"] = js::object{{"hold", "thinking"}}; // meanwhile notifications queue
    js::object more;
    more["then"] = "repeat_last";
    return scenario({conversation(
        "jobs", {step(std::move(calls)), step({say("Done.")}, std::move(held))}, std::move(more))});
}

class busy_daemon {
public:
    explicit busy_daemon(std::string_view cgroup)
        : board_(files_ / "board"),
          world_{{.scenario = many_jobs("exec " + exit_job_path() + " " + (files_ / "board")),
              .config = fmt::format("wake_window_ms = 10\n[jobs]\nper_session = {}\nper_daemon = "
                                    "{}\ncgroup = \"{}\"\n",
                  jobs_of_session, 2 * live, cgroup)}},
          events_(world_.connect())
    {
        const auto info = world_.json(200, "GET", "/v1/info").as_object();
        means_ = info.at("supervision").at("means").as_string();
        const auto head =
            events_.open_stream("/v1/events?after=now&follow=1&types=notification.queued");
        REQUIRE(head.status == 200);
        for (std::size_t i = 0; i < sessions(); ++i)
            world_.submit(fmt::format("jobs {}.", i), {{"jobs_at_end", "detach"}});
        const auto until = clock_type::now() + patience();
        while (board_.waiting() < 2 * live) {
            REQUIRE(clock_type::now() < until);
            REQUIRE(world_.call("GET", "/v1/health").status == 200);
        }
        for (std::size_t i = 0; i < 2 * live; ++i)
            by_id_[board_.slot(i).job_id] = i;
    }

    // The times of `count` that end, from `first` on; one after the other or all at once.
    figures end(std::size_t first, std::size_t count, bool at_once)
    {
        std::vector<double> took;
        for (std::size_t i = 0; at_once && i < count; ++i)
            ::kill(board_.slot(first + i).pid, SIGUSR1);
        for (std::size_t i = 0; i < count; ++i) {
            if (!at_once)
                ::kill(board_.slot(first + i).pid, SIGUSR1);
            const auto [number, now] = next_queued();
            took.push_back(since(board_.slot(number), now));
        }
        return of(std::move(took));
    }

    double stop_ms()
    {
        world_.release("thinking");
        const auto began = clock_type::now();
        CHECK(world_.stop_daemon(SIGTERM) == 0);
        return micros{clock_type::now() - began}.count() / 1000;
    }
    [[nodiscard]] const std::string& means() const { return means_; }

private:
    std::pair<std::size_t, std::int64_t> next_queued()
    {
        constexpr std::string_view key = R"("job_id":")";
        for (;;) {
            const auto line = events_.next_line(patience());
            const auto now = now_ns();
            REQUIRE(line);
            const auto at = line->find(key);
            if (line->find("notification.queued") == line->npos || at == line->npos)
                continue; // a heartbeat
            const auto found = by_id_.find(line->substr(at + key.size(), 8));
            REQUIRE(found != by_id_.end());
            return {found->second, now};
        }
    }

    scratch_folder files_;
    shared_board board_;
    world world_;
    http_client events_;
    std::string means_;
    std::map<std::string, std::size_t> by_id_;
};

} // namespace

TEST_CASE("jobs: from a job's exit to its queued notification, beside many others")
{
    const auto bare = measure_floor();
    fmt::print("{} jobs live all the time, in {} sessions\n", live, sessions());
    print("floor: pidfd and epoll in a bare program", bare);
    for (const std::string cgroup : {"auto", "off"}) {
        busy_daemon daemon{cgroup};
        const auto single = daemon.end(0, live / 2, false);
        const auto burst = daemon.end(live / 2, live - live / 2, true);
        print(daemon.means() + ": one after the other", single);
        fmt::print("    p99 {:.1f} ms (held to 10), {:.1f} of the floor's median\n",
            single.p99 / 1000, single.p50 / bare.p50);
        print(fmt::format("{}: {} in one moment", daemon.means(), live - live / 2), burst);
        fmt::print("    a stop with {} live jobs: {:.0f} ms\n", live, daemon.stop_ms());
    }
}

int main(int argc, char** argv)
{
    if (argc > 1 && argv[1][0] != '-') {
        live = std::strtoul(argv[1], nullptr, 10);
        if (live == 0 || live % jobs_of_session != 0 || 2 * live > exit_board::most) {
            fmt::print(stderr, "jobs_bench: {}: a multiple of {}, at most {}\n", argv[1],
                jobs_of_session, exit_board::most / 2);
            return 2;
        }
    }
    rlimit descriptors{}; // a pidfd for each child of the floor
    if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
        descriptors.rlim_cur = descriptors.rlim_max;
        static_cast<void>(::setrlimit(RLIMIT_NOFILE, &descriptors));
    }
    return doctest::Context{argc, argv}.run();
}
