// See byte_stream.hpp.
#include "byte_stream.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

namespace agentd::testing {

using asio::ip::tcp;
using namespace asio::experimental::awaitable_operators;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds longest_goodbye{1};
constexpr unsigned char tls_alert = 0x15; // the record type a close_notify comes in

class plain_stream final : public byte_stream {
public:
    explicit plain_stream(tcp::socket socket) : socket_{std::move(socket)} {}

    asio::awaitable<bool> handshake() override { co_return true; }

    asio::awaitable<std::size_t> read_some(asio::mutable_buffer into) override
    {
        auto [error, size] = co_await socket_.async_read_some(into, as_result);
        co_return error ? 0 : size;
    }

    asio::awaitable<bool> write(asio::const_buffer bytes) override
    {
        auto [error, size] = co_await asio::async_write(socket_, bytes, as_result);
        co_return !error;
    }

    asio::awaitable<void> close() override
    {
        boost::system::error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_both, ignored);
        socket_.close(ignored);
        co_return;
    }

    tcp::socket& socket() override { return socket_; }

private:
    tcp::socket socket_;
};

class tls_stream final : public byte_stream {
public:
    tls_stream(tcp::socket socket, asio::ssl::context& tls) : stream_{std::move(socket), tls} {}

    asio::awaitable<bool> handshake() override
    {
        auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::server, as_result);
        co_return !error;
    }

    asio::awaitable<std::size_t> read_some(asio::mutable_buffer into) override
    {
        auto [error, size] = co_await stream_.async_read_some(into, as_result);
        co_return error ? 0 : size;
    }

    asio::awaitable<bool> write(asio::const_buffer bytes) override
    {
        auto [error, size] = co_await asio::async_write(stream_, bytes, as_result);
        co_return !error;
    }

    asio::awaitable<void> close() override
    {
        asio::steady_timer limit{stream_.get_executor(), longest_goodbye};
        auto first = co_await (stream_.async_shutdown(as_result) || limit.async_wait(as_result));
        static_cast<void>(first);
        boost::system::error_code ignored;
        socket().shutdown(tcp::socket::shutdown_both, ignored);
        socket().close(ignored);
    }

    [[nodiscard]] std::string sni() const override
    {
        // The handle is only read; Asio offers it on a mutable stream alone.
        auto& stream = const_cast<asio::ssl::stream<tcp::socket>&>(stream_);
        const char* name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
        return name == nullptr ? std::string{} : std::string{name};
    }

    tcp::socket& socket() override { return stream_.next_layer(); }

private:
    asio::ssl::stream<tcp::socket> stream_;
};

} // namespace

void byte_stream::cut(bool reset)
{
    boost::system::error_code ignored;
    if (reset)
        socket().set_option(asio::socket_base::linger{true, 0}, ignored);
    socket().close(ignored);
}

bool byte_stream::client_gone()
{
    std::array<unsigned char, 1> byte{};
    auto size = ::recv(socket().native_handle(), byte.data(), byte.size(), MSG_PEEK | MSG_DONTWAIT);
    if (size < 0)
        return errno != EAGAIN && errno != EINTR;
    return size == 0 || byte[0] == tls_alert;
}

asio::awaitable<bool> byte_stream::stays_until(asio::steady_timer& timer)
{
    auto first = co_await (
        timer.async_wait(as_result) || socket().async_wait(tcp::socket::wait_read, as_result));
    if (first.index() == 0)
        co_return true;
    if (client_gone())
        co_return false;
    // Bytes of a next request are waiting: from here on a close cannot be told from them.
    co_await timer.async_wait(as_result);
    co_return true;
}

asio::awaitable<bool> byte_stream::readable_before(asio::steady_timer& timer)
{
    auto first = co_await (
        socket().async_wait(tcp::socket::wait_read, as_result) || timer.async_wait(as_result));
    co_return first.index() == 0;
}

asio::awaitable<void> byte_stream::linger()
{
    boost::system::error_code ignored;
    socket().shutdown(tcp::socket::shutdown_send, ignored);
    asio::steady_timer limit{socket().get_executor(), longest_goodbye};
    std::array<char, 16384> waste{};
    for (;;) {
        auto readable = co_await readable_before(limit);
        if (!readable)
            break;
        auto size = ::recv(socket().native_handle(), waste.data(), waste.size(), MSG_DONTWAIT);
        if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
            break;
    }
    socket().close(ignored);
}

std::unique_ptr<byte_stream> make_plain_stream(tcp::socket socket)
{
    return std::make_unique<plain_stream>(std::move(socket));
}

std::unique_ptr<byte_stream> make_tls_stream(tcp::socket socket, asio::ssl::context& tls)
{
    return std::make_unique<tls_stream>(std::move(socket), tls);
}

} // namespace agentd::testing
