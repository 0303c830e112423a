// How long the event loop stands still while commands are started, in a process with 1 GiB of
// resident memory in small pages: a coroutine that is always ready notes the longest time until
// it had its turn again. The floor: the same without launches. With control groups and without.
// `launch_bench [MIB]`, 1024 by default. Other work on the machine shows as stalls: each figure
// is the best of several rounds, and the median of them is printed beside it.
#include "aio/blocking_pool.hpp"
#include "aio/task_group.hpp"
#include "base/unique_fd.hpp"
#include "jobs/environment.hpp"
#include "jobs/foreground.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace {

using namespace agentd;
using clock_type = std::chrono::steady_clock;
using micros = std::chrono::duration<double, std::micro>;

constexpr int rounds = 7;
constexpr int launches = 200; // of one round
constexpr int at_once = 8;    // as many as calls of one reply

// Resident in pages of 4 KiB, which is the most that a fork would have to copy.
bool make_resident(std::size_t bytes)
{
    void* const at =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return false;
    ::madvise(at, bytes, MADV_NOHUGEPAGE);
    std::memset(at, 'x', bytes);
    return true;
}

struct round {
    aio::executor strand;
    jobs::environment& shared;
    int workdir;
    int left = 0;    // to be launched
    int running = 0; // coroutines that launch
    double longest = 0;
};

aio::awaitable<> launch_some(round& with)
{
    while (with.left > 0) {
        --with.left;
        jobs::command what;
        what.text = "true";
        what.workdir_fd = with.workdir;
        what.env = {"PATH=/usr/bin:/bin"};
        jobs::foreground commands{with.strand, with.shared, base::session_id{"s_bench"}};
        const auto end = co_await commands.run(std::move(what));
        if (end.exit_code != 0) {
            fmt::print(stderr, "launch_bench: {}\n", end.reason);
            std::exit(1); // NOLINT(concurrency-mt-unsafe): a benchmark that cannot go on
        }
    }
    --with.running;
}

// Until the launches are over, or for `at_least`.
aio::awaitable<> watch(round& with, clock_type::duration at_least)
{
    const auto began = clock_type::now();
    auto last = began;
    while (with.running > 0 || last - began < at_least) {
        co_await boost::asio::post(boost::asio::use_awaitable);
        const auto now = clock_type::now();
        with.longest = std::max(with.longest, micros{now - last}.count());
        last = now;
    }
}

aio::awaitable<> run_rounds(aio::executor strand, jobs::environment& shared, int workdir)
{
    std::vector<double> idle, busy;
    clock_type::duration took{};
    for (int i = 0; i < rounds; ++i) {
        round with{strand, shared, workdir, launches, at_once};
        aio::task_group launching{strand};
        const auto began = clock_type::now();
        for (int j = 0; j < at_once; ++j)
            launching.spawn("launches", launch_some(with));
        co_await watch(with, clock_type::duration::zero());
        co_await launching.join();
        took = clock_type::now() - began;
        busy.push_back(with.longest);
        round without{strand, shared, workdir};
        co_await watch(without, took);
        idle.push_back(without.longest);
    }
    std::ranges::sort(idle);
    std::ranges::sort(busy);
    fmt::print("{:<10} {} launches, {} at once: longest stall of the loop: best {:>6.0f} us, "
               "median {:>6.0f} us (held to 1000); without launches {:.0f}, {:.0f}; {:.2f} ms "
               "each\n",
        shared.leaves.means().means, launches, at_once, busy.front(), busy[rounds / 2],
        idle.front(), idle[rounds / 2], micros{took}.count() / 1000 / launches);
    co_await shared.close();
}

bool measure(const std::string& folder, const std::string& cgroup)
{
    boost::asio::io_context io{1};
    aio::blocking_pool blocking{1};
    jobs::options with;
    with.spool.folder = folder + "/jobs";
    with.cgroup = cgroup;
    jobs::environment shared{io.get_executor(), blocking, std::move(with)};
    if (const auto open = shared.open(); !open) {
        fmt::print(stderr, "launch_bench: {}\n", open.error().text);
        return false;
    }
    const base::unique_fd workdir{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const auto strand = aio::make_strand(io.get_executor());
    aio::task_group all{strand};
    all.spawn("rounds", run_rounds(strand, shared, workdir.get()));
    io.run();
    return true;
}

} // namespace

int main(int argc, char** argv)
{
    const std::size_t mib = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1024;
    if (mib == 0 || !make_resident(mib << 20) || !jobs::become_subreaper()) {
        fmt::print(stderr, "launch_bench: cannot have {} MiB\n", argc > 1 ? argv[1] : "1024");
        return 2;
    }
    std::string folder = "/tmp/agentd-bench-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr)
        return 1;
    fmt::print("{} MiB resident\n", mib);
    const bool with = measure(folder, "auto");
    const bool without = measure(folder, "off");
    fmt::print("{} passed, {} failed\n", with + without, 2 - with - without);
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return with && without ? 0 : 1;
}
