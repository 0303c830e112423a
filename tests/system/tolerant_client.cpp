#include "tests/system/tolerant_client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <thread>

namespace agentd::testing {
namespace {

constexpr int answer_wait_s = 30; // under sanitizers, too
constexpr int line_wait_s = 1;

base::unique_fd connect_to(const std::string& path, int wait_s)
{
    base::unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const timeval wait{wait_s, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return {};
    return fd;
}

bool send_all(int fd, std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

// False: the end, or nothing in time (errno tells).
bool receive_some(int fd, std::string& into)
{
    char bytes[16384];
    errno = 0;
    const auto got = ::recv(fd, bytes, sizeof bytes, 0);
    if (got <= 0)
        return false;
    into.append(bytes, static_cast<std::size_t>(got));
    return true;
}

std::size_t number_in(std::string_view text, int base)
{
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, base);
    return value;
}

int status_in(std::string_view head)
{
    constexpr std::string_view begin = "HTTP/1.1 ";
    return head.starts_with(begin) ? static_cast<int>(number_in(head.substr(begin.size()), 10)) : 0;
}

} // namespace

void pass_time(std::chrono::microseconds long_enough)
{
    std::this_thread::sleep_for(long_enough); // allow(check-idioms): it is the load itself
}

std::optional<tolerant_reply> tolerant_call(const std::string& socket, std::string_view method,
    std::string_view target, std::string_view body, std::string_view headers)
{
    const auto fd = connect_to(socket, answer_wait_s);
    std::string ask{method};
    ask.append(" ").append(target).append(" HTTP/1.1\r\nHost: agentd\r\nConnection: close\r\n");
    ask.append(headers);
    if (method == "POST")
        ask.append("Content-Type: application/json\r\nContent-Length: ")
            .append(std::to_string(body.size()))
            .append("\r\n");
    ask.append("\r\n").append(body);
    if (!fd || !send_all(fd.get(), ask))
        return std::nullopt;
    std::string all;
    while (receive_some(fd.get(), all)) {
    }
    const auto head = all.find("\r\n\r\n");
    constexpr std::string_view length = "Content-Length: ";
    const auto at = all.find(length);
    if (head == std::string::npos || at == std::string::npos || at > head)
        return std::nullopt;
    tolerant_reply reply{status_in(all), all.substr(head + 4)};
    if (reply.body.size() != number_in(std::string_view{all}.substr(at + length.size()), 10))
        return std::nullopt;
    return reply;
}

tolerant_stream::tolerant_stream(const std::string& socket, std::string_view target)
    : fd_(connect_to(socket, line_wait_s))
{
    std::string ask = "GET ";
    ask.append(target).append(" HTTP/1.1\r\nHost: agentd\r\n\r\n");
    if (!fd_ || !send_all(fd_.get(), ask))
        return;
    for (;;) {
        if (const auto head = raw_.find("\r\n\r\n"); head != std::string::npos) {
            status_ = status_in(raw_);
            raw_.erase(0, head + 4);
            return;
        }
        if (!receive_some(fd_.get(), raw_))
            return;
    }
}

bool tolerant_stream::fill()
{
    if (receive_some(fd_.get(), raw_))
        return true;
    idle_ = errno == EAGAIN || errno == EWOULDBLOCK;
    return false;
}

bool tolerant_stream::await_bytes(std::chrono::microseconds limit) const
{
    if (!raw_.empty() || !text_.empty() || over_ || !fd_)
        return true;
    pollfd input{fd_.get(), POLLIN, 0};
    const timespec wait{0, std::chrono::nanoseconds{limit}.count()}; // below a second
    return ::ppoll(&input, 1, &wait, nullptr) != 0;
}

bool tolerant_stream::unchunk()
{
    for (;;) {
        const auto line = raw_.find("\r\n");
        if (line == std::string::npos)
            return true;
        const auto size = number_in(std::string_view{raw_}.substr(0, line), 16);
        if (size == 0)
            return false;
        if (raw_.size() < line + 2 + size + 2)
            return true;
        text_.append(raw_, line + 2, size);
        raw_.erase(0, line + 2 + size + 2);
    }
}

std::optional<std::string> tolerant_stream::next_line()
{
    idle_ = false;
    for (;;) {
        if (const auto end = text_.find('\n'); end != std::string::npos) {
            std::string line = text_.substr(0, end);
            text_.erase(0, end + 1);
            return line;
        }
        if (over_ || status_ != 200)
            return std::nullopt;
        over_ = !unchunk();
        if (!over_ && text_.find('\n') == std::string::npos && !fill())
            return std::nullopt;
    }
}

} // namespace agentd::testing
