// One HTTP request and its reply over a connection: sent and read at the same time, so that
// an early refusal of a large request is seen, and handed on piece by piece as it comes.
// On the caller's strand. Bounded: limits::reply_header_bytes; the body is its taker's to bound.
#pragma once

#include "aio/awaitable.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "model/connection.hpp"
#include "model/options.hpp"
#include "model/patience.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentd::model {

struct reply_head {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> fields; // names in lower case

    // The first field of that (lower-case) name; "" when there is none.
    [[nodiscard]] std::string_view field(std::string_view name) const;
};

// Who takes a reply.
class reply_taker {
public:
    virtual ~reply_taker() = default;
    // Once, before the body.
    virtual void on_head(const reply_head& head) = 0;
    // A piece of the body, never empty. False: it has all that it wants; what follows is only
    // read for the sake of the connection.
    virtual bool on_body(std::string_view piece) = 0;
};

// How an exchange ended.
struct exchange_end {
    // Whole, or the taker had enough. Errors: timed_out, closed, broken, bad_http.
    base::result<> how;
    bool any_byte = false; // of a reply
    bool reusable = false; // request and reply were whole and nobody asked to close
    std::optional<base::mono_time> sent_at; // the request's last byte
};

// Sends `slices` (head and body) and hands the reply to `into`.
[[nodiscard]] aio::awaitable<exchange_end> exchange(connection& over,
    std::span<const std::string_view> slices, reply_taker& into, const deadlines& limit);

} // namespace agentd::model
