#include "model/transport.hpp"

#include "aio/deadline.hpp"
#include "model/error.hpp"
#include "model/tls_peer.hpp"
#include "model/tls_sessions.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <fmt/format.h>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace agentd::model {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

base::error broken(const error_code& why)
{
    if (why == ssl::error::stream_truncated)
        return {errc::broken, "the server closed the connection without TLS's own end"};
    return {errc::broken, why.message()};
}

base::result<std::size_t> read_result(const error_code& failed, std::size_t count)
{
    if (!failed)
        return count;
    if (failed == asio::error::eof)
        return std::unexpected(base::error{errc::closed, "the server closed the connection"});
    return std::unexpected(broken(failed));
}

// Nothing to read, no end: what a peer says before it was asked cannot be a reply.
bool is_quiet_socket(tcp::socket& socket)
{
    char byte = 0;
    const auto got = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

// What is sent in many small slices goes out in blocks: Asio sends 16 of them in one call at the
// most, and a conversation has several for each message.
class blocks {
public:
    blocks(std::span<const std::string_view> slices, std::size_t block_bytes)
        : rest_(slices), block_(std::min(block_bytes, total(slices)))
    {}

    // The next bytes, valid until the next call; empty at the end.
    std::string_view next()
    {
        std::size_t filled = 0;
        while (!rest_.empty() && filled < block_.size()) {
            const auto slice = rest_.front().substr(taken_);
            const auto taken = std::min(slice.size(), block_.size() - filled);
            std::memcpy(block_.data() + filled, slice.data(), taken);
            filled += taken;
            taken_ += taken;
            if (taken_ == rest_.front().size()) {
                rest_ = rest_.subspan(1);
                taken_ = 0;
            }
        }
        return {block_.data(), filled};
    }

private:
    static std::size_t total(std::span<const std::string_view> slices)
    {
        std::size_t sum = 0;
        for (const auto slice : slices)
            sum += slice.size();
        return sum;
    }

    std::span<const std::string_view> rest_;
    std::size_t taken_ = 0; // of its first
    std::vector<char> block_;
};

class plain_connection final : public connection {
public:
    explicit plain_connection(tcp::socket socket) : socket_(std::move(socket)) {}

    aio::awaitable<base::result<std::size_t>> read_some(std::span<char> into) override
    {
        error_code failed;
        const auto buffer = asio::buffer(into.data(), into.size());
        const auto count = co_await socket_.async_read_some(
            buffer, asio::redirect_error(asio::use_awaitable, failed));
        co_return read_result(failed, count);
    }

    aio::awaitable<base::result<>> write(std::span<const std::string_view> slices) override
    {
        constexpr std::size_t block_bytes = 64U << 10; // about what a socket takes at once
        blocks all{slices, block_bytes};
        for (auto block = all.next(); !block.empty(); block = all.next()) {
            error_code failed;
            const auto buffer = asio::buffer(block.data(), block.size());
            co_await asio::async_write(
                socket_, buffer, asio::redirect_error(asio::use_awaitable, failed));
            if (failed)
                co_return std::unexpected(broken(failed));
        }
        co_return base::result<>{};
    }

    bool is_quiet() override { return is_quiet_socket(socket_); }

private:
    tcp::socket socket_;
};

class tls_connection final : public connection {
public:
    tls_connection(tcp::socket socket, tls_setting with, const url& to)
        : with_(std::move(with)), stream_(std::move(socket), *with_.context), peer_(to)
    {}
    tls_connection(const tls_connection&) = delete;
    tls_connection& operator=(const tls_connection&) = delete;
    // OpenSSL takes the session of a connection that ends without TLS's goodbye for broken and
    // never resumes it; ours end so because nobody waits for a goodbye.
    ~tls_connection() override
    {
        if (shaken_)
            SSL_set_shutdown(stream_.native_handle(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }

    aio::awaitable<base::result<>> shake_hands()
    {
        if (auto ready = peer_.expect(stream_.native_handle()); !ready)
            co_return std::unexpected(std::move(ready.error()));
        stream_.set_verify_callback([this](bool ok, ssl::verify_context& chain) {
            return peer_.look(ok, chain.native_handle());
        });
        const bool resuming = with_.sessions->use_with(stream_.native_handle());
        error_code failed;
        co_await stream_.async_handshake(
            ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, failed));
        if (failed && resuming && failed != asio::error::operation_aborted)
            with_.sessions->forget(); // it may have been the reason
        if (failed)
            co_return std::unexpected(handshake_error(failed, resuming));
        shaken_ = true;
        co_return base::result<>{};
    }

    aio::awaitable<base::result<std::size_t>> read_some(std::span<char> into) override
    {
        error_code failed;
        const auto buffer = asio::buffer(into.data(), into.size());
        const auto count = co_await stream_.async_read_some(
            buffer, asio::redirect_error(asio::use_awaitable, failed));
        co_return read_result(failed, count);
    }

    // Slices are gathered into whole records: one record for each would cost more than the copy.
    aio::awaitable<base::result<>> write(std::span<const std::string_view> slices) override
    {
        constexpr std::size_t record_bytes = 16U << 10; // the largest that TLS has
        blocks all{slices, record_bytes};
        for (auto block = all.next(); !block.empty(); block = all.next()) {
            error_code failed;
            const auto buffer = asio::buffer(block.data(), block.size());
            co_await asio::async_write(
                stream_, buffer, asio::redirect_error(asio::use_awaitable, failed));
            if (failed)
                co_return std::unexpected(broken(failed));
        }
        co_return base::result<>{};
    }

    bool is_quiet() override
    {
        return ::SSL_pending(stream_.native_handle()) == 0 && is_quiet_socket(stream_.next_layer());
    }

private:
    // What TLS says of a session that was offered is no word on the peer: a whole handshake may
    // work.
    base::error handshake_error(const error_code& failed, bool resuming) const
    {
        if (!peer_.fault().empty())
            return {errc::tls_refused, peer_.fault()};
        const bool final = !resuming && failed.category() == asio::error::get_ssl_category();
        const auto reason = failed == ssl::error::stream_truncated || failed == asio::error::eof
            ? std::string{"the server closed the connection"}
            : failed.message();
        return {final ? errc::tls_refused : errc::broken,
            fmt::format("TLS handshake with {} failed: {}", peer_.name(), reason)};
    }

    tls_setting with_;
    ssl::stream<tcp::socket> stream_;
    tls_peer peer_;
    bool shaken_ = false;
};

} // namespace

connection_ptr plain_over(tcp::socket socket)
{
    return std::make_unique<plain_connection>(std::move(socket));
}

aio::awaitable<base::result<connection_ptr>> tls_over(
    tcp::socket socket, tls_setting with, const url& to, std::chrono::milliseconds limit)
{
    auto secured = std::make_unique<tls_connection>(std::move(socket), std::move(with), to);
    auto hands = secured->shake_hands();
    auto shaken = co_await aio::with_deadline(std::move(hands), limit);
    if (!shaken) {
        if (shaken.error().is(aio::errc::timed_out))
            co_return std::unexpected(base::error{errc::timed_out,
                fmt::format("TLS handshake with {}: {}", to.authority(), shaken.error().text)});
        co_return std::unexpected(std::move(shaken.error()));
    }
    connection_ptr ready = std::move(secured);
    co_return ready;
}

} // namespace agentd::model
