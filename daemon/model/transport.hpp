// The two kinds of connection over a connected socket. On the caller's strand.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "model/connection.hpp"
#include "model/tls_context.hpp"
#include "model/url.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <memory>

namespace agentd::model {

class tls_sessions;

// What the TLS connections of one origin have in common.
struct tls_setting {
    tls_context context;
    std::shared_ptr<tls_sessions> sessions; // held by connections: tickets come late
};

[[nodiscard]] connection_ptr plain_over(boost::asio::ip::tcp::socket socket);

// Shakes hands with `to` over `socket`, resuming a session where there is one. Errors:
// tls_refused, timed_out, broken (also where only the resuming was refused).
[[nodiscard]] aio::awaitable<base::result<connection_ptr>> tls_over(
    boost::asio::ip::tcp::socket socket, tls_setting with, const url& to,
    std::chrono::milliseconds limit);

} // namespace agentd::model
