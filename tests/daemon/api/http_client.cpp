#include "tests/daemon/api/http_client.hpp"

#include "proto/api/json.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace agentd::testing {
namespace {

constexpr int patience_ms = 10'000; // for a hang, not for measuring

std::string lower(std::string text)
{
    std::ranges::transform(
        text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

bool wait_for(int descriptor, short what)
{
    ::pollfd one{.fd = descriptor, .events = what, .revents = 0};
    return ::poll(&one, 1, patience_ms) == 1;
}

} // namespace

std::string reply::header(std::string_view name) const
{
    for (const auto& [key, value] : headers) {
        if (key == name)
            return value;
    }
    return {};
}

std::string reply::problem() const
{
    if (header("content-type") != "application/problem+json")
        return {};
    const auto what = proto::api::read_problem(body);
    REQUIRE(what);
    CHECK(what->status == status);
    CHECK(what->request_id == header("request-id"));
    return what->name;
}

reply parsed_reply(const std::string& text)
{
    reply answer;
    const auto end = text.find("\r\n\r\n");
    REQUIRE(text.starts_with("HTTP/1.1 "));
    REQUIRE(end != std::string::npos);
    std::from_chars(text.data() + 9, text.data() + text.size(), answer.status);
    answer.body = text.substr(end + 4);
    for (auto from = text.find("\r\n") + 2; from < end;) {
        const auto line = text.substr(from, text.find("\r\n", from) - from);
        from += line.size() + 2;
        const auto colon = line.find(": ");
        REQUIRE(colon != std::string::npos);
        answer.headers.emplace_back(lower(line.substr(0, colon)), line.substr(colon + 2));
    }
    return answer;
}

void note_get(const std::string& target, const reply& answer)
{
    record(http_exchange{.method = "GET",
        .path = target,
        .status = answer.status,
        .response_headers = answer.headers,
        .response_body = answer.body,
        .response_content_type = answer.header("content-type")});
}

http_client::http_client(const std::string& path)
    : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
{
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const auto* to = reinterpret_cast<const ::sockaddr*>(&address);
    REQUIRE(::connect(socket_.get(), to, sizeof address) == 0);
}

bool http_client::send(std::string_view bytes)
{
    while (!bytes.empty()) {
        if (!wait_for(socket_.get(), POLLOUT))
            return false;
        const auto sent =
            ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return false;
        bytes.remove_prefix(sent < 0 ? 0 : static_cast<std::size_t>(sent));
    }
    return true;
}

void http_client::finish_sending()
{
    ::shutdown(socket_.get(), SHUT_WR);
}

bool http_client::fill()
{
    std::array<char, 65536> piece{};
    if (!wait_for(socket_.get(), POLLIN))
        return false;
    const auto got = ::recv(socket_.get(), piece.data(), piece.size(), 0);
    if (got <= 0)
        return false;
    unread_.append(piece.data(), static_cast<std::size_t>(got));
    return true;
}

bool http_client::closed()
{
    return unread_.empty() && !fill() && unread_.empty();
}

std::optional<std::string> http_client::take_line(std::string_view end)
{
    for (;;) {
        const auto at = unread_.find(end);
        if (at != std::string::npos) {
            std::string line = unread_.substr(0, at);
            unread_.erase(0, at + end.size());
            return line;
        }
        if (!fill())
            return std::nullopt;
    }
}

std::optional<std::string> http_client::take(std::size_t size)
{
    while (unread_.size() < size) {
        if (!fill())
            return std::nullopt;
    }
    std::string bytes = unread_.substr(0, size);
    unread_.erase(0, size);
    return bytes;
}

std::optional<std::string> http_client::take_chunk()
{
    const auto line = take_line("\r\n");
    if (!line)
        return std::nullopt;
    std::size_t size = 0;
    std::from_chars(line->data(), line->data() + line->size(), size, 16);
    auto bytes = take(size);
    if (!bytes || take(2) != "\r\n")
        return std::nullopt;
    return bytes;
}

std::optional<reply> http_client::receive_head()
{
    auto line = take_line("\r\n");
    if (!line || !line->starts_with("HTTP/1.1 "))
        return std::nullopt;
    reply answer;
    std::from_chars(line->data() + 9, line->data() + line->size(), answer.status);
    for (;;) {
        line = take_line("\r\n");
        if (!line)
            return std::nullopt;
        if (line->empty())
            return answer;
        const auto colon = line->find(": ");
        REQUIRE(colon != std::string::npos);
        answer.headers.emplace_back(lower(line->substr(0, colon)), line->substr(colon + 2));
    }
}

std::optional<reply> http_client::receive()
{
    auto answer = receive_head();
    if (!answer)
        return std::nullopt;
    const std::string length = answer->header("content-length");
    if (answer->header("transfer-encoding") == "chunked") {
        for (;;) {
            auto chunk = take_chunk();
            if (!chunk)
                return std::nullopt;
            if (chunk->empty())
                return answer;
            answer->body += *chunk;
        }
    }
    if (!length.empty()) {
        std::size_t size = 0;
        std::from_chars(length.data(), length.data() + length.size(), size);
        auto body = take(size);
        if (!body)
            return std::nullopt;
        answer->body = std::move(*body);
    } else if (answer->status != 204 && answer->status != 100) {
        while (fill()) {
        }
        answer->body = std::exchange(unread_, {});
    }
    return answer;
}

std::optional<std::string> http_client::read_line()
{
    for (;;) {
        const auto at = lines_.find('\n');
        if (at != std::string::npos) {
            std::string line = lines_.substr(0, at);
            lines_.erase(0, at + 1);
            return line;
        }
        const auto chunk = take_chunk();
        if (!chunk || chunk->empty())
            return std::nullopt;
        lines_ += *chunk;
    }
}

std::string request_text(const std::string& method, const std::string& target,
    const std::string& body, const header_list& headers)
{
    std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n", method, target);
    for (const auto& [name, value] : headers)
        text += fmt::format("{}: {}\r\n", name, value);
    if (!body.empty() || method == "POST")
        text += fmt::format("Content-Length: {}\r\n", body.size());
    return text + "\r\n" + body;
}

void http_client::ask(const std::string& method, const std::string& target, const std::string& body,
    const header_list& headers)
{
    const auto question = std::min(target.find('?'), target.size());
    last_ = http_exchange{.method = method,
        .path = target.substr(0, question),
        .query = target.substr(std::min(question + 1, target.size())),
        .request_headers = headers,
        .request_body = body};
    CHECK(send(request_text(method, target, body, headers)));
}

void http_client::note(const std::string& method, const std::string& target, const reply& answer)
{
    const auto question = std::min(target.find('?'), target.size());
    last_.method = method;
    last_.path = target.substr(0, question);
    last_.query = target.substr(std::min(question + 1, target.size()));
    last_.status = answer.status;
    last_.response_headers = answer.headers;
    last_.response_body = answer.body;
    last_.response_content_type = answer.header("content-type");
    record(last_);
}

reply http_client::call(const std::string& method, const std::string& target,
    const std::string& body, const header_list& headers)
{
    ask(method, target, body, headers);
    auto answer = receive();
    REQUIRE(answer);
    CHECK(answer->header("request-id").starts_with("r_"));
    note(method, target, *answer);
    return *answer;
}

} // namespace agentd::testing
