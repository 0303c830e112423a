// A connection to the model's server, plain or TLS, as bytes in and out. It belongs to one
// request at a time, whose strand it is used on; destroying it closes it at once.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
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

    // How long the server leaves it open unused, as it said in its last reply (Keep-Alive).
    std::optional<std::chrono::seconds> server_keeps;
};

using connection_ptr = std::unique_ptr<connection>;

} // namespace agentd::model
