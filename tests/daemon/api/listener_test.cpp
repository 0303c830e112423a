#include "api/listener.hpp"
#include "tests/daemon/api/running_api.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace agentd;
using testing::temp_dir;

namespace {

::mode_t mode_of(const std::string& path)
{
    struct ::stat found{};
    return ::stat(path.c_str(), &found) == 0 ? found.st_mode & 07777U : 0;
}

} // namespace

TEST_CASE("listener: nobody but the owner may connect, whatever the umask says")
{
    const temp_dir folder;
    const std::string path = folder.path() + "/a.sock";
    for (const ::mode_t mask : {0U, 0777U}) {
        const ::mode_t old = ::umask(mask);
        auto made = api::open_listener(path, {});
        ::umask(old);
        REQUIRE(made);
        CHECK(mode_of(path) == 0600);
        const auto socket = made->take_socket();
        CHECK((::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
        CHECK(api::check_listening(socket.get()));
        CHECK(api::group_of(socket.get()) == ::getegid());
    }
    api::listener_options how;
    how.shared = true;
    how.group = ::getegid();
    auto made = api::open_listener(path, how);
    REQUIRE(made);
    CHECK(mode_of(path) == 0660);
}

TEST_CASE("listener: the socket goes with it, its lock file stays")
{
    const temp_dir folder;
    const std::string path = folder.path() + "/a.sock";
    {
        const auto made = api::open_listener(path, {});
        REQUIRE(made);
        CHECK(std::filesystem::exists(path));
    }
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK(std::filesystem::exists(path + ".lock"));
}

TEST_CASE("listener: a live socket is never taken away, with or without the lock")
{
    const temp_dir folder;
    const std::string path = folder.path() + "/a.sock";
    const auto first = api::open_listener(path, {});
    REQUIRE(first);
    const auto second = api::open_listener(path, {});
    REQUIRE_FALSE(second);
    CHECK(second.error().is(api::errc::in_use));
    std::filesystem::remove(path + ".lock"); // a daemon that knows of no lock
    const auto third = api::open_listener(path, {});
    REQUIRE_FALSE(third);
    CHECK(third.error().is(api::errc::in_use));
    CHECK(std::filesystem::exists(path));
    testing::http_client still{path};
}

TEST_CASE("listener: a socket that nobody serves is replaced")
{
    const temp_dir folder;
    const std::string path = folder.path() + "/a.sock";
    const std::string left = folder.path() + "/left.sock";
    {
        const auto dead = api::open_listener(path, {});
        REQUIRE(dead);
        std::filesystem::create_hard_link(path, left);
    }
    std::filesystem::rename(left, path); // as a killed daemon leaves it
    const auto made = api::open_listener(path, {});
    REQUIRE(made);
    testing::http_client reaches_it{path};
}

TEST_CASE("listener: a socket that the children of a killed daemon still have is waited for")
{
    const temp_dir folder;
    const std::string path = folder.path() + "/a.sock";
    std::array<int, 2> go{};
    REQUIRE(::pipe2(go.data(), O_CLOEXEC) == 0);
    const ::pid_t owner = ::fork();
    if (owner == 0) {
        auto made = api::open_listener(path, {});
        if (::fork() == 0) { // gives the lock back first, as a child does on its way to its exec
            const auto socket = made->take_socket();
            const auto after_pipe = static_cast<unsigned>(go[1]) + 1;
            ::close_range(after_pipe, static_cast<unsigned>(socket.get()) - 1, 0);
            char byte = 0;
            [[maybe_unused]] const auto n = ::read(go[0], &byte, 1);
            ::_exit(0);
        }
        ::raise(SIGKILL);
    }
    int status = 0;
    REQUIRE(::waitpid(owner, &status, 0) == owner);
    REQUIRE(WIFSIGNALED(status));
    std::jthread later{[&go] {
        ::poll(nullptr, 0, 20);
        CHECK(::write(go[1], "x", 1) == 1);
    }};
    const auto made = api::open_listener(path, {});
    CHECK_MESSAGE(made, (made ? "" : made.error().text));
    later.join();
    ::close(go[0]);
    ::close(go[1]);
}

TEST_CASE("listener: what is no socket stays where it is")
{
    const temp_dir folder;
    const std::string path = folder.path() + "/a.sock";
    std::ofstream{path} << "precious";
    const auto made = api::open_listener(path, {});
    REQUIRE_FALSE(made);
    CHECK(made.error().is(api::errc::not_a_socket));
    CHECK(std::filesystem::file_size(path) == 8);
}

TEST_CASE("listener: bad paths and descriptors are errors with a reason")
{
    const temp_dir folder;
    const auto long_one = api::open_listener(folder.path() + "/" + std::string(120, 'x'), {});
    REQUIRE_FALSE(long_one);
    CHECK(long_one.error().text.find("bytes") != std::string::npos);
    const auto nowhere = api::open_listener(folder.path() + "/no/such/a.sock", {});
    REQUIRE_FALSE(nowhere);
    CHECK(nowhere.error().is(api::errc::cannot_listen));
    CHECK_FALSE(api::check_listening(-1));
    const base::unique_fd plain{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    CHECK_FALSE(api::check_listening(plain.get()));
}
