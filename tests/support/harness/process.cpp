#include "tests/support/harness/process.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace agentd::testing {
namespace {

using namespace std::chrono_literals;

std::vector<char*> pointers(std::vector<std::string>& texts)
{
    std::vector<char*> all;
    for (auto& text : texts)
        all.push_back(text.data());
    all.push_back(nullptr);
    return all;
}

int milliseconds_until(std::chrono::steady_clock::time_point until)
{
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    return left.count() < 0 ? 0 : static_cast<int>(left.count());
}

} // namespace

std::chrono::milliseconds patience()
{
    const char* factor = std::getenv("AGENTD_TEST_PATIENCE"); // NOLINT: tests set no environment
    const int times =
        factor == nullptr ? 1 : std::max(1, std::atoi(factor)); // NOLINT: our own script's
    return times * 60'000ms;
}

process::process(const program& what)
{
    std::vector<std::string> argv = what.argv;
    std::vector<std::string> env;
    for (const auto& [name, value] : what.env)
        env.push_back(name + "=" + value);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    int ends[2] = {-1, -1};
    if (what.stdout_file.empty()) {
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    } else {
        ::posix_spawn_file_actions_addopen(
            &actions, 1, what.stdout_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    }
    if (!what.stderr_file.empty())
        ::posix_spawn_file_actions_addopen(
            &actions, 2, what.stderr_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (!what.folder.empty())
        ::posix_spawn_file_actions_addchdir_np(&actions, what.folder.c_str());
    ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    const int failed = ::posix_spawn(
        &pid_, argv[0].c_str(), &actions, nullptr, pointers(argv).data(), pointers(env).data());
    ::posix_spawn_file_actions_destroy(&actions);
    if (ends[1] >= 0)
        ::close(ends[1]);
    stdout_.reset(ends[0]);
    REQUIRE_MESSAGE(failed == 0, "cannot start " << argv[0]);
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

process::~process()
{
    if (!ended_) {
        signal(SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
}

void process::signal(int number) const
{
    if (!ended_)
        ::kill(pid_, number);
}

std::optional<int> process::wait(std::chrono::milliseconds limit)
{
    if (ended_)
        return ended_;
    pollfd end{pidfd_.get(), POLLIN, 0};
    if (::poll(&end, 1, static_cast<int>(limit.count())) != 1)
        return std::nullopt;
    int status = 0;
    ::waitpid(pid_, &status, 0);
    ended_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return ended_;
}

bool process::fill(std::chrono::steady_clock::time_point until)
{
    pollfd input{stdout_.get(), POLLIN, 0};
    if (::poll(&input, 1, milliseconds_until(until)) != 1)
        return false;
    char bytes[16384];
    const auto got = ::read(stdout_.get(), bytes, sizeof bytes);
    if (got <= 0)
        return false;
    read_.append(bytes, static_cast<std::size_t>(got));
    return true;
}

std::optional<std::string> process::read_line(std::chrono::milliseconds limit)
{
    const auto until = std::chrono::steady_clock::now() + limit;
    for (;;) {
        if (const auto end = read_.find('\n'); end != std::string::npos) {
            std::string line = read_.substr(0, end);
            read_.erase(0, end + 1);
            return line;
        }
        if (!fill(until))
            return std::nullopt;
    }
}

std::string process::read_all(std::chrono::milliseconds limit)
{
    const auto until = std::chrono::steady_clock::now() + limit;
    while (fill(until)) {
    }
    return std::exchange(read_, {});
}

scratch_folder::scratch_folder()
{
    char name[] = "/tmp/agentd-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
}

scratch_folder::~scratch_folder()
{
    std::error_code ignored; // what cannot be removed is the test machine's to tidy
    std::filesystem::remove_all(path_, ignored);
}

std::string scratch_folder::operator/(std::string_view name) const
{
    return path_ + "/" + std::string{name};
}

void write_file(const std::string& path, std::string_view content)
{
    std::ofstream out{path, std::ios::binary | std::ios::trunc};
    out << content;
    REQUIRE(out.good());
}

std::string read_file(const std::string& path)
{
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
}

} // namespace agentd::testing
