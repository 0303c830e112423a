// A way through an HTTP proxy: CONNECT (wire reference §5). On the caller's strand.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "model/proxy.hpp"
#include "model/url.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>

namespace agentd::model {

// Asks the proxy at the other end of `socket` to connect it with `to`, by its name: nobody looks
// that up here. Nothing that is meant for `to` is said to the proxy. `limit` is for all of it.
// Errors: proxy_refused (407, or another answer that asking again would not change), each with
// the proxy's words, bounded; cannot_connect, where it may.
[[nodiscard]] aio::awaitable<base::result<>> open_tunnel(boost::asio::ip::tcp::socket& socket,
    const url& to, const proxy& via, std::chrono::milliseconds limit);

} // namespace agentd::model
