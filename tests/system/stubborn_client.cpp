#include "tests/system/stubborn_client.hpp"

#include "base/unique_fd.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>

namespace agentd::testing {
namespace {

base::unique_fd connect_to(const std::string& socket)
{
    base::unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket.c_str(), socket.size());
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        fd.reset();
    return fd;
}

std::string read_to_end(int fd)
{
    std::string all;
    char bytes[16384];
    for (;;) {
        pollfd input{fd, POLLIN, 0};
        if (::poll(&input, 1, static_cast<int>(patience().count())) != 1)
            return all;
        const auto got = ::recv(fd, bytes, sizeof bytes, 0);
        if (got <= 0)
            return all;
        all.append(bytes, static_cast<std::size_t>(got));
    }
}

// The body behind its chunks; nullopt: the last is missing.
std::optional<std::string> unchunked(std::string_view chunks)
{
    std::string body;
    for (;;) {
        const auto line = chunks.find("\r\n");
        if (line == std::string_view::npos)
            return std::nullopt;
        const auto size = std::strtoul(std::string{chunks.substr(0, line)}.c_str(), nullptr, 16);
        chunks.remove_prefix(line + 2);
        if (size == 0)
            return body;
        if (chunks.size() < size + 2)
            return std::nullopt;
        body += chunks.substr(0, size);
        chunks.remove_prefix(size + 2);
    }
}

// The answer if it came whole: what was cut off has answered nothing.
std::optional<http_reply> whole_reply(const std::string& text)
{
    const auto end = text.find("\r\n\r\n");
    if (end == std::string::npos || !text.starts_with("HTTP/1.1 "))
        return std::nullopt;
    http_reply reply;
    reply.status = std::atoi(text.c_str() + 9); // NOLINT: three digits
    reply.body = text.substr(end + 4);
    const auto chunked = text.find("Transfer-Encoding: chunked");
    if (chunked < end) {
        auto body = unchunked(reply.body);
        if (!body)
            return std::nullopt;
        reply.body = std::move(*body);
    }
    const auto length = text.find("Content-Length: ");
    if (length != std::string::npos && length < end &&
        reply.body.size() != std::strtoul(text.c_str() + length + 16, nullptr, 10))
        return std::nullopt;
    return reply;
}

} // namespace

void stubborn_client::start()
{
    if (!w_.try_start_daemon())
        revive();
}

void stubborn_client::stop()
{
    if (w_.stop_daemon(SIGTERM) == 128 + SIGKILL) {
        ++deaths_;
        w_.change_daemon({}, {});
        w_.start_daemon();
        CHECK(w_.stop_daemon(SIGTERM) == 0);
    }
}

void stubborn_client::revive()
{
    const auto how = w_.daemon().wait(patience());
    REQUIRE_MESSAGE(how == 128 + SIGKILL, "agentd has not died of a fail point: " << w_.log());
    ++deaths_;
    before_restart_();
    w_.change_daemon({}, {});
    w_.start_daemon();
}

http_reply stubborn_client::call(
    std::string_view method, const std::string& target, std::string_view body, const headers& with)
{
    std::string text{method};
    text += " " + target + " HTTP/1.1\r\nHost: agentd\r\nConnection: close\r\n";
    if (method == "POST")
        text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
            "\r\n";
    for (const auto& [name, value] : with)
        text += name + ": " + value + "\r\n";
    text.append("\r\n").append(body);
    for (;;) {
        if (const auto fd = connect_to(w_.socket())) {
            static_cast<void>(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL));
            if (auto reply = whole_reply(read_to_end(fd.get())))
                return *std::move(reply);
        }
        revive();
    }
}

js::object stubborn_client::get(const std::string& target)
{
    const auto reply = call("GET", target);
    REQUIRE_MESSAGE(reply.status == 200, target << ": " << reply.status << " " << reply.body);
    return js::parse(reply.body).as_object();
}

js::object stubborn_client::ended(const std::string& id)
{
    for (;;) {
        auto task = get("/v1/tasks/" + id + "/wait?timeout_s=5");
        if (!task.at("ended_at").is_null())
            return task;
    }
}

js::object stubborn_client::await_task(
    const std::string& id, const std::function<bool(const js::object&)>& holds)
{
    const auto until = std::chrono::steady_clock::now() + patience();
    for (;;) {
        auto task = get("/v1/tasks/" + id);
        if (holds(task))
            return task;
        REQUIRE_MESSAGE(std::chrono::steady_clock::now() < until,
            "the task does not get there: " << js::serialize(task) << "\n"
                                            << w_.log());
    }
}

} // namespace agentd::testing
