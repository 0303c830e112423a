#include "tests/daemon/ctl/unix_server.hpp"

#include "ctl/run.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace agentd::testing {
namespace {

std::size_t content_length(std::string_view head)
{
    const auto at = head.find("Content-Length: ");
    return at == std::string_view::npos
        ? 0
        : static_cast<std::size_t>(std::strtoul(head.data() + at + 16, nullptr, 10));
}

std::string all_of(std::FILE* file)
{
    std::string text;
    std::rewind(file);
    char piece[4096];
    while (const auto got = std::fread(piece, 1, sizeof piece, file))
        text.append(piece, got);
    std::fclose(file);
    return text;
}

} // namespace

std::string unix_server::peer::read_request()
{
    for (;;) {
        if (const auto end = unread_.find("\r\n\r\n"); end != std::string::npos) {
            const auto whole = end + 4 + content_length(unread_.substr(0, end));
            if (unread_.size() >= whole) {
                const auto request = unread_.substr(0, whole);
                unread_.erase(0, whole);
                owner_.note(request);
                return request;
            }
        }
        char piece[65536];
        const auto got = ::recv(fd_, piece, sizeof piece, 0);
        if (got <= 0)
            return {};
        unread_.append(piece, static_cast<std::size_t>(got));
    }
}

void unix_server::peer::send(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

unix_server::unix_server(std::vector<script> scripts) : scripts_(std::move(scripts))
{
    char name[] = "/tmp/agentd-ctl-XXXXXX";
    folder_ = ::mkdtemp(name);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    const auto where = path();
    where.copy(at.sun_path, where.size());
    listening_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    int ends[2];
    if (::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
        ::listen(listening_.get(), 64) != 0 || ::pipe2(ends, O_CLOEXEC) != 0)
        std::abort();
    stop_read_.reset(ends[0]);
    stop_write_.reset(ends[1]);
    accepting_ = std::thread{[this] { serve(); }};
}

unix_server::~unix_server()
{
    stop_write_.reset();
    accepting_.join();
    {
        const std::lock_guard lock{lock_};
        for (const int fd : open_)
            ::shutdown(fd, SHUT_RDWR);
    }
    for (auto& one : talking_)
        one.join();
    std::filesystem::remove_all(folder_);
}

void unix_server::serve()
{
    for (std::size_t n = 0;; ++n) {
        pollfd both[2] = {{listening_.get(), POLLIN, 0}, {stop_read_.get(), POLLIN, 0}};
        ::poll(both, 2, -1);
        if (both[1].revents != 0)
            return;
        const int fd = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        const std::lock_guard lock{lock_};
        open_.push_back(fd);
        const auto& run = scripts_[std::min(n, scripts_.size() - 1)];
        talking_.emplace_back([this, fd, &run] {
            peer client{*this, fd};
            run(client);
            const std::lock_guard at_end{lock_};
            std::erase(open_, fd);
            ::close(fd);
        });
    }
}

void unix_server::note(const std::string& request)
{
    const std::lock_guard lock{lock_};
    requests_.push_back(request);
}

std::vector<std::string> unix_server::requests()
{
    const std::lock_guard lock{lock_};
    return requests_;
}

std::string http_answer(int status, std::string_view body, std::string_view extra_head)
{
    return fmt::format("HTTP/1.1 {} Whatever\r\nContent-Type: application/json\r\n{}"
                       "Content-Length: {}\r\n\r\n{}",
        status, extra_head, body.size(), body);
}

std::string chunked_head(std::string_view extra_head)
{
    return fmt::format("HTTP/1.1 200 OK\r\n{}Transfer-Encoding: chunked\r\n\r\n", extra_head);
}

std::string chunk(std::string_view bytes)
{
    return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

std::string last_chunk()
{
    return "0\r\n\r\n";
}

unix_server::script always(std::string answer)
{
    return [answer = std::move(answer)](unix_server::peer& client) {
        while (!client.read_request().empty())
            client.send(answer);
    };
}

unix_server::script in_turn(std::vector<std::string> answers)
{
    return [answers = std::move(answers)](unix_server::peer& client) {
        for (const auto& answer : answers) {
            if (client.read_request().empty())
                return;
            client.send(answer);
        }
    };
}

ran agentctl(std::vector<std::string> arguments)
{
    std::vector<const char*> argv{"agentctl"};
    for (const auto& argument : arguments)
        argv.push_back(argument.c_str());
    std::FILE* out = std::tmpfile();
    std::FILE* err = std::tmpfile();
    ran done;
    done.exit_code = ctl::run(static_cast<int>(argv.size()), argv.data(), out, err);
    done.out = all_of(out);
    done.err = all_of(err);
    return done;
}

} // namespace agentd::testing
