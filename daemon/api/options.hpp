// The bounds and rights of the local API's server: configuration, with limits as defaults.
// Pure data; any thread.
#pragma once

#include "base/limits.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace agentd::api {

struct options {
    // Whom it serves: this uid and root; with `shared` also members of `group`, the socket's.
    std::uint32_t own_uid = 0;
    bool shared = false;
    std::optional<std::uint32_t> group;

    std::size_t connections = limits::api_connections;
    std::size_t connections_per_uid = limits::api_connections_per_uid; // shared, strangers only
    std::size_t header_bytes = limits::api_header_bytes;
    std::size_t body_bytes = limits::api_body_bytes;
    std::chrono::milliseconds header_deadline = limits::api_header_deadline;
    std::chrono::milliseconds body_deadline = limits::api_body_deadline;
    std::chrono::milliseconds write_stall = limits::api_write_stall;
    std::chrono::milliseconds idle = limits::api_idle;
    std::chrono::milliseconds heartbeat = limits::heartbeat;
    std::chrono::milliseconds linger = limits::api_linger;
};

} // namespace agentd::api
