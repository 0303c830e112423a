#include "tests/support/harness/http.hpp"

#include "base/unique_fd.hpp"
#include "tests/support/exchange_log.hpp"
#include "tests/support/harness/process.hpp"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace agentd::testing {
namespace {

namespace beast_http = boost::beast::http;
using parser = beast_http::response_parser<beast_http::string_body>;

struct ssl_deleter {
    void operator()(SSL* s) const { SSL_free(s); }
    void operator()(SSL_CTX* c) const { SSL_CTX_free(c); }
};

bool same_name(std::string_view a, std::string_view b)
{
    return std::ranges::equal(
        a, b, [](char x, char y) { return std::tolower(x) == std::tolower(y); });
}

} // namespace

struct http_client::state {
    base::unique_fd fd;
    std::unique_ptr<SSL_CTX, ssl_deleter> context;
    std::unique_ptr<SSL, ssl_deleter> tls;
    bool recorded = false;
    std::string unread;
    std::unique_ptr<parser> stream; // of open_stream
    std::string lines;

    void write(std::string_view bytes)
    {
        while (!bytes.empty()) {
            const auto sent = tls
                ? SSL_write(tls.get(), bytes.data(), static_cast<int>(bytes.size()))
                : ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0)
                return; // the reply, if there is one, says why
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    // More bytes into `unread`; false: closed, or nothing within `limit`.
    bool read(std::chrono::milliseconds limit)
    {
        char bytes[16384];
        if (!tls || SSL_pending(tls.get()) == 0) {
            pollfd input{fd.get(), POLLIN, 0};
            if (::poll(&input, 1, static_cast<int>(limit.count())) != 1)
                return false;
        }
        const auto got = tls ? SSL_read(tls.get(), bytes, sizeof bytes)
                             : ::recv(fd.get(), bytes, sizeof bytes, 0);
        if (got <= 0)
            return false;
        unread.append(bytes, static_cast<std::size_t>(got));
        return true;
    }

    // Puts what is unread into the parser; false when it needs more.
    void feed(parser& into)
    {
        boost::system::error_code failed;
        const auto used = into.put(boost::asio::buffer(unread), failed);
        unread.erase(0, used);
        if (failed && failed != beast_http::error::need_more)
            FAIL("broken reply: " << failed.message());
    }
};

std::string http_reply::header(std::string_view name) const
{
    for (const auto& [key, value] : headers)
        if (same_name(key, name))
            return value;
    return {};
}

http_client::http_client(const std::string& socket) : state_(std::make_unique<state>())
{
    state_->recorded = true;
    state_->fd.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(socket.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, socket.c_str(), socket.size());
    REQUIRE_MESSAGE(
        ::connect(state_->fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
        "cannot connect to " << socket << ": " << std::strerror(errno));
}

http_client::http_client(const std::string& url, const std::string& ca_file)
    : state_(std::make_unique<state>())
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::uint16_t port = 0;
    std::from_chars(url.data() + url.rfind(':') + 1, url.data() + url.size(), port);
    address.sin_port = htons(port);
    state_->fd.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(
        ::connect(state_->fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    if (!url.starts_with("https:"))
        return;
    state_->context.reset(SSL_CTX_new(TLS_client_method()));
    REQUIRE(SSL_CTX_load_verify_locations(state_->context.get(), ca_file.c_str(), nullptr) == 1);
    SSL_CTX_set_verify(state_->context.get(), SSL_VERIFY_PEER, nullptr);
    state_->tls.reset(SSL_new(state_->context.get()));
    SSL_set_fd(state_->tls.get(), state_->fd.get());
    REQUIRE(SSL_connect(state_->tls.get()) == 1);
}

http_client::~http_client() = default;
http_client::http_client(http_client&&) noexcept = default;

void http_client::send_raw(std::string_view bytes)
{
    state_->write(bytes);
}

bool http_client::is_closed()
{
    return state_->unread.empty() && !state_->read(patience());
}

http_reply http_client::read_reply(std::string_view method)
{
    parser reply;
    reply.body_limit(boost::none);
    reply.eager(true);
    reply.skip(method == "HEAD");
    while (!reply.is_done()) {
        if (!state_->unread.empty())
            state_->feed(reply);
        if (reply.is_done())
            break;
        if (!state_->read(patience())) {
            REQUIRE_MESSAGE(reply.got_some(), "closed, or silent, without a reply");
            boost::system::error_code failed;
            reply.put_eof(failed);
            REQUIRE_MESSAGE(!failed, "no whole reply: " << failed.message());
            break;
        }
    }
    http_reply got;
    got.status = static_cast<int>(reply.get().result_int());
    for (const auto& field : reply.get())
        got.headers.emplace_back(std::string{field.name_string()}, std::string{field.value()});
    got.body = reply.get().body();
    return got;
}

namespace {

std::string request_text(
    std::string_view method, std::string_view target, std::string_view body, const headers& with)
{
    std::string text{method};
    text.append(" ").append(target).append(" HTTP/1.1\r\nHost: agentd\r\n");
    if (!body.empty() || method == "POST")
        text.append("Content-Type: application/json\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n");
    for (const auto& [name, value] : with)
        text.append(name + ": " + value + "\r\n");
    return text.append("\r\n").append(body);
}

void note(std::string_view method, std::string_view target, std::string_view body,
    const headers& with, const http_reply& reply)
{
    http_exchange exchange;
    exchange.method = method;
    const auto mark = std::min(target.find('?'), target.size());
    exchange.path = target.substr(0, mark);
    exchange.query = mark < target.size() ? target.substr(mark + 1) : "";
    exchange.request_headers = with;
    exchange.request_body = body;
    exchange.status = reply.status;
    exchange.response_headers = reply.headers;
    exchange.response_body = reply.body;
    exchange.response_content_type = reply.header("Content-Type");
    record(exchange);
}

} // namespace

http_reply http_client::call(
    std::string_view method, std::string_view target, std::string_view body, const headers& with)
{
    state_->write(request_text(method, target, body, with));
    auto reply = read_reply(method);
    if (state_->recorded)
        note(method, target, body, with, reply);
    return reply;
}

http_reply http_client::open_stream(std::string_view target, const headers& with)
{
    state_->write(request_text("GET", target, {}, with));
    auto& reply = *(state_->stream = std::make_unique<parser>());
    reply.body_limit(boost::none);
    reply.eager(true);
    while (!reply.is_header_done()) {
        REQUIRE_MESSAGE(state_->read(patience()), "no reply to " << target);
        state_->feed(reply);
    }
    http_reply head;
    head.status = static_cast<int>(reply.get().result_int());
    for (const auto& field : reply.get())
        head.headers.emplace_back(std::string{field.name_string()}, std::string{field.value()});
    return head;
}

std::optional<std::string> http_client::next_line(std::chrono::milliseconds limit)
{
    const auto until = std::chrono::steady_clock::now() + limit;
    auto& reply = *state_->stream;
    for (;;) {
        state_->lines += std::exchange(reply.get().body(), {});
        if (const auto end = state_->lines.find('\n'); end != std::string::npos) {
            std::string line = state_->lines.substr(0, end);
            state_->lines.erase(0, end + 1);
            return line;
        }
        if (reply.is_done())
            return std::nullopt;
        // What is left unread may be the beginning of a chunk: more has to come first.
        if (!state_->unread.empty()) {
            const auto before = state_->unread.size();
            state_->feed(reply);
            if (state_->unread.size() != before)
                continue;
        }
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0 || !state_->read(left))
            return std::nullopt;
    }
}

} // namespace agentd::testing
