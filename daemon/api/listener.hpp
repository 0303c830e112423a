// The daemon's socket in the file system: made so that no two daemons fight for it, that a
// live one is never taken away, and that nobody gets in between making and protecting it.
// At start and end of the program, before the io_context runs.
#pragma once

#include "api/errc.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace agentd::api {

struct listener_options {
    bool shared = false;                // 0660 instead of 0600
    std::optional<std::uint32_t> group; // to whom a shared one is given; none: as it comes
};

// A listening socket at a path, with the lock beside it; both are given up at its death.
class listener {
public:
    listener(listener&& other) noexcept;
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;
    listener& operator=(listener&&) = delete;
    ~listener();

    // The listening descriptor, for the server; the path stays with the listener.
    [[nodiscard]] base::unique_fd take_socket() { return std::move(socket_); }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    friend base::result<listener> open_listener(std::string path, const listener_options& how);
    listener(std::string path, base::unique_fd lock)
        : path_(std::move(path)), lock_(std::move(lock))
    {}

    std::string path_;
    base::unique_fd lock_;
    base::unique_fd socket_;
    std::uint64_t device_ = 0, inode_ = 0; // of the socket's file: what we may remove
};

// Listens at `path` (its folder exists). A socket that nobody serves is replaced. Errors:
// in_use, not_a_socket, cannot_listen.
[[nodiscard]] base::result<listener> open_listener(std::string path, const listener_options& how);

// Checks a descriptor that systemd passed: a listening Unix stream socket. Errors: cannot_listen.
[[nodiscard]] base::result<> check_listening(int socket);

// The group of the file that a listening socket is bound to; nullopt: it has none.
[[nodiscard]] std::optional<std::uint32_t> group_of(int socket);

} // namespace agentd::api
