// Reads HTTP requests off one connection, one after another. On the connection's strand;
// owned by its coroutine.
#pragma once

#include "byte_stream.hpp"
#include "http_request.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <string>

namespace agentd::testing {

/// What came.
struct incoming {
    enum class kind {
        request,
        closed,    ///< the client is done, or too slow for `idle`
        malformed, ///< no HTTP
        too_large, ///< the head is read, the body is not
    };
    kind is = kind::closed;
    http_request request;
};

class request_reader {
public:
    /// `from` must outlive the reader. `idle`: longest wait for a request, 0 = any.
    request_reader(byte_stream& from, std::size_t most_body, std::chrono::milliseconds idle)
        : from_{from}, most_body_{most_body}, idle_{idle}
    {}

    asio::awaitable<incoming> next();

private:
    asio::awaitable<bool> more();

    byte_stream& from_;
    const std::size_t most_body_;
    const std::chrono::milliseconds idle_;
    std::string unread_; ///< received, not yet taken by the parser
};

} // namespace agentd::testing
