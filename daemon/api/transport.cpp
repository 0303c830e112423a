#include "api/transport.hpp"

#include "aio/deadline.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace agentd::api {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;

constexpr auto poll_again = std::chrono::seconds{1}; // after a wake-up that meant nothing

aio::awaitable<base::result<>> ready(
    stream_protocol::socket& socket, asio::socket_base::wait_type what)
{
    boost::system::error_code failure;
    co_await socket.async_wait(what, asio::redirect_error(asio::use_awaitable, failure));
    co_await aio::rethrow_if_cancelled();
    if (failure)
        co_return std::unexpected(base::error{errc::closed, failure.message()});
    co_return base::result<>{};
}

bool would_block(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK;
}

base::error gone()
{
    return {errc::closed, "the client has closed the connection"};
}

} // namespace

transport::transport(
    aio::executor strand, base::unique_fd connected, std::chrono::milliseconds stall)
    : socket_(std::move(strand)), stall_(stall)
{
    boost::system::error_code failure;
    socket_.assign(stream_protocol{}, connected.get(), failure);
    if (!failure)
        (void)connected.release(); // the socket's now; reads and writes of a closed one fail
}

aio::awaitable<base::result<std::size_t>> transport::read_some(
    char* into, std::size_t room, std::chrono::milliseconds limit)
{
    for (;;) {
        const auto got = ::recv(socket_.native_handle(), into, room, MSG_DONTWAIT);
        if (got > 0)
            co_return static_cast<std::size_t>(got);
        if (got == 0 || (errno != EINTR && !would_block(errno)))
            co_return std::unexpected(gone());
        if (errno == EINTR)
            continue;
        auto waited =
            co_await aio::with_deadline(ready(socket_, asio::socket_base::wait_read), limit);
        if (!waited && waited.error().is(aio::errc::timed_out))
            co_return std::unexpected(
                base::error{errc::request_timeout, "the request did not come in time"});
        if (!waited)
            co_return std::unexpected(std::move(waited.error()));
    }
}

aio::awaitable<base::result<>> transport::write(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto sent = ::send(
            socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
            continue;
        }
        if (errno == EINTR)
            continue;
        if (!would_block(errno))
            co_return std::unexpected(gone());
        auto waited =
            co_await aio::with_deadline(ready(socket_, asio::socket_base::wait_write), stall_);
        if (!waited && waited.error().is(aio::errc::timed_out))
            co_return std::unexpected(base::error{errc::stalled, "the client takes no bytes"});
        if (!waited)
            co_return std::unexpected(std::move(waited.error()));
    }
    co_return base::result<>{};
}

aio::awaitable<> transport::peer_gone()
{
    for (;;) {
        boost::system::error_code woken;
        co_await socket_.async_wait(
            asio::socket_base::wait_error, asio::redirect_error(asio::use_awaitable, woken));
        // A client that has only shut down its sending side raises POLLRDHUP, not POLLHUP.
        ::pollfd state{.fd = socket_.native_handle(), .events = 0, .revents = 0};
        if (woken || ::poll(&state, 1, 0) < 0 || (state.revents & (POLLHUP | POLLERR)) != 0)
            co_return;
        co_await aio::sleep_for(poll_again);
    }
}

aio::awaitable<> transport::finish(std::chrono::milliseconds limit)
{
    ::shutdown(socket_.native_handle(), SHUT_WR);
    const auto until = base::mono_now() + limit;
    std::size_t dropped = 0;
    std::array<char, 16 * 1024> waste; // NOLINT: filled by read_some
    while (dropped < limits::api_linger_bytes) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - base::mono_now());
        if (left.count() <= 0)
            co_return;
        const auto got = co_await read_some(waste.data(), waste.size(), left);
        if (!got)
            co_return;
        dropped += *got;
    }
}

} // namespace agentd::api
