// One client connection: reads requests, has them decided, writes the replies.
// A coroutine on the connection's strand, which owns the stream.
#pragma once

#include "bell.hpp"
#include "byte_stream.hpp"
#include "control.hpp"
#include "director.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <memory>

namespace agentd::testing {

/// What all connections share; owned by the server and outliving them.
struct connection_parts {
    director& decisions;
    control& steering;
    holds& gates;
    server_counts& counts;
    std::size_t most_body;
    std::chrono::milliseconds idle_close;
};

/// Serves one connection to its end.
asio::awaitable<void> serve_connection(std::unique_ptr<byte_stream> stream, connection_parts parts);

} // namespace agentd::testing
