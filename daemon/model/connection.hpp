// A connection to the model's server, plain or TLS, as bytes in and out. It belongs to one
// request at a time, whose strand it is used on; destroying it closes it at once.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "model/options.hpp"
#include "model/tls_context.hpp"
#include "model/url.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace agentd::model {

class connection {
public:
    virtual ~connection() = default;

    // At least one byte into `into`. Errors: closed (the peer ended it in order), broken.
    virtual aio::awaitable<base::result<std::size_t>> read_some(std::span<char> into) = 0;
    // All of `slices`, which outlive the call; may run beside a read. Errors: broken.
    virtual aio::awaitable<base::result<>> write(std::span<const std::string_view> slices) = 0;
    // True if it is open and has nothing to say: whatever can be read before a request was
    // sent is an end or junk (wire reference §5).
    [[nodiscard]] virtual bool is_quiet() = 0;
};

using connection_ptr = std::unique_ptr<connection>;

// Connects to one of the host's addresses, in their order, and shakes hands; on the caller's
// strand. `io` is the io_context's executor, which the socket lives on. Errors:
// cannot_connect, tls_refused, timed_out, broken.
//
// A proxy's CONNECT would go between the two steps of connection.cpp, happy
// eyeballs into the first, a stored TLS session into the second.
[[nodiscard]] aio::awaitable<base::result<connection_ptr>> open_connection(
    aio::executor io, const url& to, tls_context tls, const deadlines& limit);

} // namespace agentd::model
