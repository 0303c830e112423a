// From a host's name to a connected socket: every address of the host, the next one tried
// before the one before has failed (happy eyeballs, RFC 8305, without its caches and its
// separate look-ups of A and AAAA). On the caller's strand.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "model/side_work.hpp"
#include "model/url.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace agentd::model {

using address_list = std::vector<boost::asio::ip::address>;
// The addresses of one name.
using name_lookup = side_work<address_list>;

// getaddrinfo: blocks, for as long as the system's resolver likes. Errors: cannot_connect.
[[nodiscard]] base::result<address_list> look_up(const std::string& host);
// A look-up of `host` by `how`, on at most limits::lookup_threads threads: as many can stall.
[[nodiscard]] name_lookup lookup_of(
    std::string host, std::function<base::result<address_list>(const std::string&)> how = look_up);

// The order of trying: as they come, but the families take turns; each once; bounded by
// limits::addresses_tried.
[[nodiscard]] address_list take_turns(const address_list& found);

// Connects to `to`, whose addresses `names` knows (of no use for a literal). An address is tried
// limits::next_address_after the one before, or at once when one has failed; the first that
// connects wins, the others are closed. `limit` is for everything together. The socket lives on
// `io`; it is close-on-exec, without Nagle's delay, with keep-alive probes. Errors:
// cannot_connect, with each address and its reason.
[[nodiscard]] aio::awaitable<base::result<boost::asio::ip::tcp::socket>> dial(
    aio::executor io, name_lookup& names, const url& to, std::chrono::milliseconds limit);

} // namespace agentd::model
