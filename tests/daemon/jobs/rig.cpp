#include "tests/daemon/jobs/rig.hpp"

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "tests/daemon/jobs/scratch_group.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iterator>
#include <memory>
#include <sstream>
#include <thread>

namespace agentd::testing {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> entries_of(const char* path)
{
    std::vector<std::string> names;
    DIR* const folder = ::opendir(path);
    REQUIRE(folder != nullptr);
    while (const dirent* entry = ::readdir(folder))
        if (entry->d_name[0] != '.')
            names.emplace_back(entry->d_name);
    ::closedir(folder);
    return names;
}

aio::awaitable<> run_and_close(const rig_test& test, rig& with)
{
    co_await test(with);
    co_await with.shared.close();
}

void run_threads(asio::io_context& io, int threads, std::chrono::steady_clock::time_point until)
{
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i)
        others.emplace_back([&io, until] { io.run_until(until); });
    io.run_until(until);
}

void run_one_rig(const rig_test& test, jobs::options with, int threads, std::chrono::seconds limit)
{
    const temp_folder folder;
    const std::string work = folder.path() + "/work";
    ::mkdir(work.c_str(), 0700);
    const base::unique_fd workdir{::open(work.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    with.spool.folder = folder.path() + "/jobs";
    asio::io_context io{threads};
    aio::blocking_pool blocking{2};
    {
        jobs::environment shared{io.get_executor(), blocking, with};
        REQUIRE(shared.open());
        const auto strand = aio::make_strand(io.get_executor());
        rig all{strand, shared, work, with.spool.folder, workdir.get()};
        std::atomic<bool> ended{false};
        std::exception_ptr failure;
        asio::co_spawn(strand, run_and_close(test, all), [&failure, &ended](std::exception_ptr e) {
            failure = e;
            ended = true;
        });
        run_threads(io, threads, std::chrono::steady_clock::now() + limit);
        REQUIRE_MESSAGE(ended, "the test did not end");
        if (failure)
            std::rethrow_exception(failure);
    }
}

} // namespace

temp_folder::temp_folder() : path_("/tmp/agentd-jobs-XXXXXX")
{
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
}

temp_folder::~temp_folder()
{
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

jobs::command rig::command(std::string text, std::chrono::milliseconds timeout) const
{
    jobs::command what;
    what.text = std::move(text);
    what.workdir_fd = workdir_fd;
    what.env = {"PATH=/usr/local/bin:/usr/bin:/bin"};
    what.timeout = timeout;
    return what;
}

aio::awaitable<jobs::outcome> rig::run_job(std::string text, std::chrono::milliseconds timeout)
{
    auto what = command(std::move(text), timeout);
    jobs::job one{strand, shared, base::new_job_id(), std::move(what), jobs::place{}};
    co_return co_await one.run();
}

aio::awaitable<jobs::outcome> rig::run_foreground(
    std::string text, std::chrono::milliseconds timeout)
{
    auto what = command(std::move(text), timeout);
    jobs::foreground commands{strand, shared, base::session_id{"s_test"}};
    co_return co_await commands.run(std::move(what));
}

aio::awaitable<> run_into(jobs::job& one, jobs::outcome* end)
{
    auto ran = co_await one.run();
    *end = std::move(ran);
}

jobs::options quick()
{
    jobs::options with;
    with.grace = 300ms;
    return with;
}

jobs::options patient()
{
    jobs::options with;
    with.grace = 20s;
    return with;
}

void with_rig(const rig_test& test, jobs::options with, int threads, std::chrono::seconds limit)
{
    REQUIRE(jobs::become_subreaper());
    const auto before = open_descriptors();
    run_one_rig(test, std::move(with), threads, limit);
    CHECK(open_descriptors() == before);
    CHECK(own_children() == 0);
}

namespace {

aio::awaitable<> run_with_leaves(const rig_test& test, rig& with, std::string* path)
{
    const auto& means = with.shared.leaves.means();
    *path = means.path;
    if (means.means == "cgroup")
        co_await test(with);
    else
        std::puts(("SKIP: the half with control groups: " + means.reason).c_str());
}

} // namespace

void with_both_means(const rig_test& test, jobs::options with, int threads)
{
    with.cgroup = "off";
    with_rig(test, with, threads);
    with.cgroup = "auto";
    // Where systemd runs it gives nothing away: root names a group of its own.
    const bool theirs = ::geteuid() == 0 && ::access("/run/systemd/system", F_OK) == 0;
    const auto own = theirs ? std::make_unique<scratch_group>() : nullptr;
    if (own && !own->path().empty())
        with.cgroup = own->path();
    std::string path;
    const auto test_twice = [&test, &path](rig& one) -> aio::awaitable<> {
        co_await run_with_leaves(test, one, &path);
    };
    with_rig(test_twice, with, threads);
    const auto mount = jobs::cgroup2_mount(read_text("/proc/self/mountinfo"));
    const bool possible = mount && ::geteuid() == 0 && ::access(mount->folder.c_str(), W_OK) == 0;
    if (possible)
        CHECK_FALSE(path.empty());                              // as root it may not be skipped
    CHECK((path.empty() || ::access(path.c_str(), F_OK) != 0)); // removed at the end
}

std::string marker()
{
    std::uint64_t digits = 0;
    for (const char c : base::random_hex(12))
        digits = digits * 10 + static_cast<unsigned char>(c) % 10;
    return "300." + std::to_string(digits);
}

std::size_t processes_with(const std::string& text)
{
    std::size_t found = 0;
    const auto own = std::to_string(::getpid());
    for (const auto& name : entries_of("/proc")) {
        if (name.find_first_not_of("0123456789") != name.npos || name == own)
            continue;
        if (read_text("/proc/" + name + "/cmdline").find(text) != std::string::npos)
            ++found;
    }
    return found;
}

std::size_t own_children()
{
    std::size_t found = 0;
    for (const auto& thread : entries_of("/proc/self/task")) {
        std::istringstream pids{read_text("/proc/self/task/" + thread + "/children")};
        found += static_cast<std::size_t>(
            std::distance(std::istream_iterator<int>{pids}, std::istream_iterator<int>{}));
    }
    return found;
}

std::size_t open_descriptors()
{
    return entries_of("/proc/self/fd").size();
}

aio::awaitable<> until(std::function<bool()> holds)
{
    const auto last = base::mono_now() + 10s;
    bool held = holds();
    while (!held && base::mono_now() < last) {
        co_await aio::sleep_for(2ms);
        held = holds();
    }
    CHECK(held); // asked once more it may be otherwise
}

int number_in(const std::string& path)
{
    const auto text = read_text(path);
    int number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

std::string read_text(const std::string& path)
{
    std::string text;
    const base::unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    std::array<char, 4096> block;
    for (;;) {
        const auto n = file ? ::read(file.get(), block.data(), block.size()) : 0;
        if (n <= 0) // a process may go while its files are read
            return text;
        text.append(block.data(), static_cast<std::size_t>(n));
    }
}

} // namespace agentd::testing
