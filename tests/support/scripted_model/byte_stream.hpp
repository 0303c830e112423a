// One connection's bytes, with TLS or without: what the HTTP side reads and writes.
// Virtual, so that Beast and OpenSSL templates are compiled in one place each.
// Owned by the connection's coroutine and used on its strand only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace agentd::testing {

namespace asio = boost::asio;

class byte_stream {
public:
    byte_stream() = default;
    byte_stream(const byte_stream&) = delete;
    byte_stream& operator=(const byte_stream&) = delete;
    virtual ~byte_stream() = default;

    /// TLS handshake, if there is one. False: the connection is of no use.
    virtual asio::awaitable<bool> handshake() = 0;
    /// Number of bytes read; 0 when the client has closed or the connection failed.
    virtual asio::awaitable<std::size_t> read_some(asio::mutable_buffer into) = 0;
    /// Writes all; false when the connection failed.
    virtual asio::awaitable<bool> write(asio::const_buffer bytes) = 0;
    /// Orderly end: close_notify where there is TLS, then FIN.
    virtual asio::awaitable<void> close() = 0;
    /// Server name of the TLS hello, "" if there was none.
    [[nodiscard]] virtual std::string sni() const { return {}; }

    virtual asio::ip::tcp::socket& socket() = 0;

    /// Closes at once without close_notify; with `reset` the client sees RST.
    void cut(bool reset);
    /// Waits for the timer. False: the client went away first.
    asio::awaitable<bool> stays_until(asio::steady_timer& timer);
    /// Waits until something can be read. False: the timer ended first.
    asio::awaitable<bool> readable_before(asio::steady_timer& timer);
    /// Ends sending, then throws away what the client still sends, for a second at most: a
    /// close with unread bytes would become a reset that overtakes the reply.
    asio::awaitable<void> linger();

private:
    bool client_gone();
};

/// Takes the socket over. `tls` must outlive the stream.
std::unique_ptr<byte_stream> make_plain_stream(asio::ip::tcp::socket socket);
std::unique_ptr<byte_stream> make_tls_stream(asio::ip::tcp::socket socket, asio::ssl::context& tls);

} // namespace agentd::testing
