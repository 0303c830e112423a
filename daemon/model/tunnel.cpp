#include "model/tunnel.hpp"

#include "aio/deadline.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "model/error.hpp"
#include "model/redact.hpp"
#include "model/reply_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace agentd::model {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// With its port, always: RFC 9110 §9.3.6.
std::string place(const url& to)
{
    const std::string name = to.host.find(':') == std::string::npos ? to.host : "[" + to.host + "]";
    return fmt::format("{}:{}", name, to.port);
}

std::string connect_head(const url& to, const proxy& via)
{
    std::string head = fmt::format("CONNECT {0} HTTP/1.1\r\nhost: {0}\r\n", place(to));
    if (!via.authorization.empty())
        head += fmt::format("proxy-authorization: {}\r\n", via.authorization);
    return head + "\r\n";
}

// The answer's status and, if it is a refusal, its words.
class answer final : public reply_taker {
public:
    void on_head(const reply_head& head) override { status = head.status; }
    bool on_body(std::string_view piece) override
    {
        body += piece;
        return body.size() < limits::error_body_bytes;
    }

    [[nodiscard]] bool is_yes() const { return status / 100 == 2; }

    int status = 0; // 0: none yet
    std::string body;
};

base::error lost(const error_code& why)
{
    return {errc::broken,
        why == asio::error::eof ? std::string{"it closed the connection"} : why.message()};
}

// Reads on until there is a head, or with `to_the_end` until there is all of it.
aio::awaitable<base::result<>> read(
    tcp::socket& from, reply_parser& parser, answer& into, bool to_the_end)
{
    while (to_the_end ? !parser.is_whole() && !parser.has_enough() : into.status == 0) {
        const auto room = parser.room();
        const auto buffer = asio::buffer(room.data(), room.size());
        error_code failed;
        const auto count = co_await from.async_read_some(
            buffer, asio::redirect_error(asio::use_awaitable, failed));
        if (failed)
            co_return std::unexpected(lost(failed));
        if (auto taken = parser.take(count, into); !taken)
            co_return taken;
    }
    co_return base::result<>{};
}

base::error refusal(const answer& got, const url& to, const proxy& via)
{
    std::string said = got.body;
    redact(said, via.secrets);
    said = base::one_line(base::strip(said), limits::proxy_reason_bytes);
    const bool wants_credentials = got.status == 407;
    const bool passes = got.status / 100 == 5 || got.status == 408 || got.status == 429;
    std::string what = fmt::format("refuses a tunnel to {}", place(to));
    if (wants_credentials)
        what =
            via.authorization.empty() ? "wants a user and a password" : "refuses its credentials";
    return {passes ? errc::cannot_connect : errc::proxy_refused,
        fmt::format("the proxy {} {} (status {}){}{}", place(via.at), what, got.status,
            said.empty() ? "" : ": ", said)};
}

// Errors: as open_tunnel's where the proxy refuses; else those of a connection, or bad_http.
aio::awaitable<base::result<>> ask(tcp::socket& socket, const url& to, const proxy& via)
{
    const std::string head = connect_head(to, via);
    const auto buffer = asio::buffer(head);
    error_code failed;
    co_await asio::async_write(socket, buffer, asio::redirect_error(asio::use_awaitable, failed));
    if (failed)
        co_return std::unexpected(lost(failed));
    reply_parser parser;
    answer got;
    auto heard = co_await read(socket, parser, got, false);
    if (!heard)
        co_return heard;
    if (!got.is_yes()) {
        // Its words are a courtesy: what comes soon is shown, however the connection ends.
        auto words = read(socket, parser, got, true);
        const auto rest = co_await aio::with_deadline(std::move(words), limits::reply_drain);
        (void)rest;
        co_return std::unexpected(refusal(got, to, via));
    }
    if (!got.body.empty()) // a TLS server is silent until it is spoken to
        co_return std::unexpected(base::error{
            errc::bad_http, "it sent something behind the head that opened the tunnel"});
    co_return base::result<>{};
}

} // namespace

aio::awaitable<base::result<>> open_tunnel(
    tcp::socket& socket, const url& to, const proxy& via, std::chrono::milliseconds limit)
{
    auto asking = ask(socket, to, via);
    auto opened = co_await aio::with_deadline(std::move(asking), limit);
    if (opened || opened.error().is(errc::proxy_refused) || opened.error().is(errc::cannot_connect))
        co_return opened; // it said so itself
    co_return std::unexpected(base::error{errc::cannot_connect,
        fmt::format("the proxy {} opens no tunnel to {}: {}", place(via.at), place(to),
            opened.error().text)});
}

} // namespace agentd::model
