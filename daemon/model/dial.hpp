// From a host's name to a connected socket. On the caller's strand.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "model/url.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>

namespace agentd::model {

// The name is looked up by Asio's own thread; then each address is tried in turn, `limit` for
// each. The socket is close-on-exec, without Nagle's delay, with keep-alive probes. Errors:
// cannot_connect, with the reason of the last address.
[[nodiscard]] aio::awaitable<base::result<boost::asio::ip::tcp::socket>> dial(
    aio::executor io, const url& to, std::chrono::milliseconds limit);

} // namespace agentd::model
