// Beast's parser is driven by hand: its composed operations cost several times the compile
// time and wait for full buffers, which a stream of events does not fill.
#include "ctl/http.hpp"

#include "aio/deadline.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <fmt/format.h>

#include <sys/un.h>

#include <array>
#include <optional>

namespace agentd::ctl {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using socket_type = asio::local::stream_protocol::socket;

constexpr std::size_t piece_bytes = 64U << 10;

base::error lost(std::string_view what, const error_code& why)
{
    return {errc::lost,
        fmt::format("the connection to the daemon broke while {}: {}", what, why.message())};
}

base::error not_http(const error_code& why)
{
    return {errc::daemon_error,
        fmt::format("what answers on the socket does not speak HTTP: {}", why.message())};
}

std::string text_of(const http_request& what)
{
    std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: agentd\r\nAccept: application/json, "
                                  "application/x-ndjson, application/octet-stream\r\n",
        what.method, what.target);
    if (!what.idempotency_key.empty())
        out += fmt::format("Idempotency-Key: {}\r\n", what.idempotency_key);
    if (!what.body.empty())
        out += fmt::format("Content-Type: {}\r\n", what.content_type);
    if (!what.body.empty() || what.method == "POST")
        out += fmt::format("Content-Length: {}\r\n", what.body.size());
    out += "\r\n";
    out += what.body;
    return out;
}

std::string lower_case(std::string_view name)
{
    std::string out{name};
    for (char& c : out)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

// A full backlog answers EAGAIN at once instead of waiting, so ask again until the deadline.
aio::awaitable<error_code> connect(socket_type& socket, asio::local::stream_protocol::endpoint to)
{
    const auto until = base::mono_now() + limits::client_connect_deadline;
    for (;;) {
        error_code failure;
        co_await socket.async_connect(to, asio::redirect_error(asio::use_awaitable, failure));
        co_await aio::rethrow_if_cancelled();
        const bool full = failure == asio::error::try_again || failure == asio::error::would_block;
        if (!full || base::mono_now() >= until)
            co_return failure;
        socket.close(failure);
        co_await aio::sleep_for(limits::client_reconnect_pause);
    }
}

} // namespace

std::string http_head::field(const std::string& name) const
{
    const auto found = fields.find(name);
    return found == fields.end() ? std::string{} : found->second;
}

struct http_connection::state {
    explicit state(const aio::executor& on) : socket(on) {}

    aio::awaitable<base::result<>> send(std::string text);
    aio::awaitable<base::result<>> receive();
    aio::awaitable<base::result<http_head>> exchange(std::string text);
    aio::awaitable<base::result<std::string>> next_piece();

    socket_type socket;
    beast::flat_buffer in;
    // A parser serves one answer; the next one gets a new parser.
    std::optional<http::response_parser<http::buffer_body>> parser;
    bool broken = false;
};

http_connection::http_connection(std::unique_ptr<state> s) : state_(std::move(s)) {}
http_connection::~http_connection() = default;

aio::awaitable<base::result<std::unique_ptr<http_connection>>> http_connection::open(
    std::string socket)
{
    if (socket.size() >= sizeof(sockaddr_un::sun_path))
        co_return std::unexpected(base::error{errc::usage,
            fmt::format("the path of the socket is longer than {} bytes: {}",
                sizeof(sockaddr_un::sun_path) - 1, socket)});
    const aio::executor self = co_await asio::this_coro::executor;
    auto fresh = std::make_unique<state>(self);
    const asio::local::stream_protocol::endpoint where{socket};
    const error_code failure = co_await connect(fresh->socket, where);
    if (failure == asio::error::access_denied)
        co_return std::unexpected(
            base::error{errc::denied, fmt::format("no right to use the socket {}", socket)});
    if (failure)
        co_return std::unexpected(base::error{errc::unreachable,
            fmt::format("cannot reach the daemon at {}: {}", socket, failure.message())});
    co_return std::unique_ptr<http_connection>{new http_connection{std::move(fresh)}};
}

bool http_connection::reusable() const
{
    const auto& last = state_->parser;
    return !state_->broken && (!last || (last->is_done() && last->keep_alive()));
}

aio::awaitable<base::result<>> http_connection::state::send(std::string text)
{
    error_code failure;
    co_await asio::async_write(
        socket, asio::buffer(text), asio::redirect_error(asio::use_awaitable, failure));
    if (failure && failure != asio::error::broken_pipe)
        co_return std::unexpected(lost("sending", failure));
    // A server that answers early (413) and closes: its answer is worth reading.
    co_return base::result<>{};
}

// Reads more bytes into `in`.
aio::awaitable<base::result<>> http_connection::state::receive()
{
    error_code failure;
    const std::size_t got = co_await socket.async_read_some(
        in.prepare(piece_bytes), asio::redirect_error(asio::use_awaitable, failure));
    if (!failure) {
        in.commit(got);
        co_return base::result<>{};
    }
    error_code at_end;
    if (failure == asio::error::eof && parser->got_some())
        parser->put_eof(at_end);
    if (failure == asio::error::eof && parser->is_done() && !at_end)
        co_return base::result<>{}; // a body that lasts until the end of the connection
    co_return std::unexpected(lost("reading the answer", failure));
}

aio::awaitable<base::result<http_head>> http_connection::state::exchange(std::string text)
{
    auto sent = co_await send(std::move(text));
    if (!sent)
        co_return std::unexpected(std::move(sent).error());
    while (!parser->is_header_done()) {
        error_code failure;
        const std::size_t used = parser->put(in.data(), failure);
        in.consume(used);
        if (failure && failure != http::error::need_more)
            co_return std::unexpected(not_http(failure));
        if (parser->is_header_done())
            break;
        auto more = co_await receive();
        if (!more)
            co_return std::unexpected(std::move(more).error());
    }
    http_head head;
    head.status = parser->get().result_int();
    for (const auto& line : parser->get())
        head.fields[lower_case({line.name_string().data(), line.name_string().size()})] =
            std::string{line.value()};
    co_return head;
}

aio::awaitable<base::result<std::string>> http_connection::state::next_piece()
{
    std::string piece;
    while (!parser->is_done()) {
        piece.resize(piece_bytes);
        auto& body = parser->get().body();
        body.data = piece.data();
        body.size = piece.size();
        body.more = true;
        error_code failure;
        const std::size_t used = parser->put(in.data(), failure);
        in.consume(used);
        piece.resize(piece_bytes - body.size);
        if (failure && failure != http::error::need_more && failure != http::error::need_buffer)
            co_return std::unexpected(not_http(failure));
        if (!piece.empty())
            co_return piece;
        if (parser->is_done() || (used > 0 && failure != http::error::need_more))
            continue;
        auto more = co_await receive();
        if (!more)
            co_return std::unexpected(std::move(more).error());
    }
    co_return std::string{};
}

aio::awaitable<base::result<http_head>> http_connection::start(http_request what, time_limit limit)
{
    state_->parser.emplace();
    state_->parser->body_limit(boost::none);
    state_->parser->header_limit(limits::api_header_bytes);
    state_->broken = true; // until the head is there: cancelled half-way it is of no use
    auto work = state_->exchange(text_of(what));
    if (limit.count() > 0)
        work = aio::with_deadline(std::move(work), limit);
    auto head = co_await std::move(work);
    if (head)
        state_->broken = false;
    else if (head.error().is(aio::errc::timed_out))
        co_return std::unexpected(
            base::error{errc::lost, "the daemon does not answer: " + head.error().text});
    co_return head;
}

aio::awaitable<base::result<std::string>> http_connection::read_some(time_limit limit)
{
    auto work = state_->next_piece();
    if (limit.count() > 0)
        work = aio::with_deadline(std::move(work), limit);
    auto piece = co_await std::move(work);
    if (piece)
        co_return piece;
    state_->broken = true;
    if (piece.error().is(aio::errc::timed_out))
        co_return std::unexpected(
            base::error{errc::lost, "the daemon has fallen silent: " + piece.error().text});
    co_return piece;
}

aio::awaitable<base::result<std::string>> http_connection::read_all(time_limit limit)
{
    std::string all;
    for (;;) {
        auto piece = co_await read_some(limit);
        if (!piece || piece->empty())
            break;
        all += *piece;
        if (all.size() > limits::client_reply_bytes)
            co_return std::unexpected(
                base::error{errc::daemon_error, "the daemon's answer is too large to hold"});
    }
    if (state_->broken)
        co_return std::unexpected(base::error{errc::lost, "the daemon's answer was cut off"});
    co_return all;
}

} // namespace agentd::ctl
