#include "tests/bench/floor.hpp"

#include "base/unique_fd.hpp"

#include <doctest/doctest.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>

namespace agentd::bench {
namespace {

bool send_all(int fd, const std::string& bytes)
{
    std::size_t sent = 0;
    while (sent < bytes.size()) {
        const auto n = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += static_cast<std::size_t>(n);
    }
    return true;
}

bool receive(int fd, std::size_t count)
{
    char bytes[65536];
    while (count > 0) {
        const auto n = ::recv(fd, bytes, std::min(sizeof bytes, count), 0);
        if (n <= 0)
            return false;
        count -= static_cast<std::size_t>(n);
    }
    return true;
}

void at_once(int fd)
{
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

} // namespace

micros spawn_and_wait()
{
    char shell[] = "/bin/sh", option[] = "-c", text[] = "true";
    char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
    char* const argv[] = {shell, option, text, nullptr};
    char* const env[] = {path, nullptr};
    const auto began = clock_type::now();
    pid_t pid = 0;
    REQUIRE(::posix_spawn(&pid, shell, nullptr, nullptr, argv, env) == 0);
    ::waitpid(pid, nullptr, 0);
    return clock_type::now() - began;
}

struct loopback::state {
    std::string request, reply;
    base::unique_fd near, far;
    std::thread answering;

    void answer() const
    {
        while (receive(far.get(), request.size()))
            if (!send_all(far.get(), reply))
                return;
    }
};

loopback::loopback(std::size_t request, std::size_t reply) : state_(std::make_unique<state>())
{
    state_->request.assign(request, 'q');
    state_->reply.assign(reply, 'a');
    const base::unique_fd listening{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    auto* const address = reinterpret_cast<sockaddr*>(&where);
    REQUIRE(::bind(listening.get(), address, size) == 0);
    REQUIRE(::listen(listening.get(), 1) == 0);
    REQUIRE(::getsockname(listening.get(), address, &size) == 0);
    state_->near.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(state_->near.get(), address, size) == 0);
    state_->far.reset(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    at_once(state_->near.get());
    at_once(state_->far.get());
    state_->answering = std::thread{[s = state_.get()] { s->answer(); }};
}

loopback::~loopback()
{
    ::shutdown(state_->near.get(), SHUT_RDWR);
    state_->answering.join();
}

micros loopback::round_trip()
{
    const auto began = clock_type::now();
    REQUIRE(send_all(state_->near.get(), state_->request));
    REQUIRE(receive(state_->near.get(), state_->reply.size()));
    return clock_type::now() - began;
}

double share(std::vector<double>& values, double part)
{
    if (values.empty())
        return 0;
    std::ranges::sort(values);
    const auto last = static_cast<double>(values.size() - 1);
    return values[static_cast<std::size_t>(part * last + 0.5)];
}

} // namespace agentd::bench
