#include "model/dial.hpp"

#include "aio/deadline.hpp"
#include "aio/flag.hpp"
#include "model/error.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

namespace agentd::model {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// A look-up under way. Shared with its completion: getaddrinfo cannot be interrupted, so it
// may outlive the one who asked.
struct lookup {
    explicit lookup(const aio::executor& strand) : done(strand) {}

    aio::flag done;
    error_code failed;
    std::vector<tcp::endpoint> found;
};

aio::awaitable<base::result<std::vector<tcp::endpoint>>> resolve(aio::executor io, const url& to)
{
    error_code no_literal;
    const auto literal = asio::ip::make_address(to.host, no_literal);
    if (!no_literal)
        co_return std::vector{tcp::endpoint{literal, to.port}};

    const auto strand = co_await asio::this_coro::executor;
    const auto state = std::make_shared<lookup>(strand);
    tcp::resolver resolver{io};
    auto finished = [state](const error_code& failed, const tcp::resolver::results_type& results) {
        state->failed = failed;
        for (const auto& entry : results)
            state->found.push_back(entry.endpoint());
        state->done.raise();
    };
    resolver.async_resolve(to.host, fmt::format("{}", to.port), tcp::resolver::numeric_service,
        asio::bind_executor(strand, std::move(finished)));
    co_await state->done.wait();
    if (state->failed || state->found.empty())
        co_return std::unexpected(base::error{errc::cannot_connect,
            fmt::format("cannot find the address of {}: {}", to.host, state->failed.message())});
    co_return std::move(state->found);
}

// The peer may be gone for hours without a word: the kernel asks now and then (§4.3).
void set_options(tcp::socket& socket)
{
    const auto set = [fd = socket.native_handle()](int level, int name, int value) {
        (void)::setsockopt(fd, level, name, &value, sizeof value); // an option lost costs little
    };
    (void)::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 60);
    set(IPPROTO_TCP, TCP_KEEPCNT, 5);
}

aio::awaitable<base::result<>> connect(tcp::socket& socket, tcp::endpoint to)
{
    error_code failed;
    socket.open(to.protocol(), failed);
    if (!failed) {
        set_options(socket);
        co_await socket.async_connect(to, asio::redirect_error(asio::use_awaitable, failed));
    }
    if (failed)
        co_return std::unexpected(base::error{errc::cannot_connect, failed.message()});
    co_return base::result<>{};
}

std::string shown(const tcp::endpoint& to)
{
    return to.address().is_v6() ? fmt::format("[{}]:{}", to.address().to_string(), to.port())
                                : fmt::format("{}:{}", to.address().to_string(), to.port());
}

} // namespace

aio::awaitable<base::result<tcp::socket>> dial(
    aio::executor io, const url& to, std::chrono::milliseconds limit)
{
    auto looking = resolve(io, to);
    auto addresses = co_await aio::with_deadline(std::move(looking), limit);
    if (!addresses)
        co_return std::unexpected(
            base::error{errc::cannot_connect, std::move(addresses.error().text)});
    std::string reason;
    for (const auto& address : *addresses) {
        tcp::socket socket{io};
        auto connecting = connect(socket, address);
        const auto connected = co_await aio::with_deadline(std::move(connecting), limit);
        if (connected)
            co_return std::move(socket);
        reason = fmt::format("{}: {}", shown(address), connected.error().text);
    }
    co_return std::unexpected(base::error{
        errc::cannot_connect, fmt::format("cannot connect to {}, {}", to.authority(), reason)});
}

} // namespace agentd::model
