#include "ctl/side_program.hpp"

#include "aio/deadline.hpp"
#include "base/unique_fd.hpp"
#include "ctl/exit_code.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace agentd::ctl {
namespace {

namespace asio = boost::asio;

constexpr std::size_t most_output = 1U << 20;

base::error failed(std::string_view what, int number)
{
    return {errc::daemon_error, base::system_error(what, number).text};
}

// A child that is ended and reaped with this object at the latest.
class child {
public:
    explicit child(pid_t pid) : pid_(pid) {}
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    ~child()
    {
        if (pid_ <= 0)
            return;
        ::kill(pid_, SIGKILL);
        static_cast<void>(reap());
    }

    // Its exit code once it has ended, which it soon does: its output is closed.
    int reap()
    {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

private:
    pid_t pid_;
};

base::result<pid_t> spawn(const std::vector<std::string>& argv, int output)
{
    std::vector<char*> words;
    for (const auto& word : argv)
        words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    posix_spawn_file_actions_t files{};
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
    pid_t pid = 0;
    // allow(check-idioms): agentctl is no daemon: one program, awaited, of our own
    const int wrong = ::posix_spawn(&pid, words[0], &files, nullptr, words.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    if (wrong != 0)
        return std::unexpected(failed("run " + argv[0], wrong));
    return pid;
}

aio::awaitable<base::result<std::string>> read_output(asio::posix::stream_descriptor& from)
{
    std::string text;
    std::array<char, 4096> piece; // NOLINT: filled by the read
    while (text.size() < most_output) {
        boost::system::error_code failure;
        const auto into = asio::buffer(piece);
        const std::size_t n =
            co_await from.async_read_some(into, asio::redirect_error(asio::use_awaitable, failure));
        co_await aio::rethrow_if_cancelled();
        if (failure)
            break; // the end: nobody has it open any more
        text.append(piece.data(), n);
    }
    co_return text;
}

} // namespace

aio::awaitable<base::result<side_output>> run_beside(
    std::vector<std::string> argv, std::chrono::milliseconds limit)
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        co_return std::unexpected(failed("make a pipe", errno));
    const aio::executor self = co_await asio::this_coro::executor;
    asio::posix::stream_descriptor from{self, ends[0]};
    base::unique_fd theirs{ends[1]};
    const auto pid = spawn(argv, theirs.get());
    theirs.reset();
    if (!pid)
        co_return std::unexpected(pid.error());
    child running{*pid};
    auto text = co_await aio::with_deadline(read_output(from), limit);
    if (!text)
        co_return std::unexpected(
            base::error{errc::daemon_error, argv[0] + " does not end: " + text.error().text});
    if (text->size() >= most_output) // what it still has to say would keep it, and us
        co_return std::unexpected(base::error{errc::daemon_error,
            argv[0] + " says more than " + std::to_string(most_output) + " bytes"});
    side_output all;
    all.text = std::move(*text);
    all.exit_code = running.reap();
    co_return all;
}

} // namespace agentd::ctl
