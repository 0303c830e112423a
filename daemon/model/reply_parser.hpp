// The bytes of an HTTP reply to its head and body: Beast's parser, fed by hand, because its
// composed reads wait for full buffers and cost much to compile (Beast is in the .cpp alone).
// Pure; one owner.
#pragma once

#include "base/error.hpp"
#include "model/exchange.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>

namespace agentd::model {

class reply_parser {
public:
    reply_parser();
    ~reply_parser();
    reply_parser(const reply_parser&) = delete;
    reply_parser& operator=(const reply_parser&) = delete;

    // Where the next bytes are to be read into.
    [[nodiscard]] std::span<char> room();
    // `count` bytes have been read there: hands on what they complete. Errors: bad_http.
    [[nodiscard]] base::result<> take(std::size_t count, reply_taker& into);
    // The connection has ended in order: that is the end of a body without a length. Errors:
    // closed, where more should have come.
    [[nodiscard]] base::result<> end();

    [[nodiscard]] bool is_whole() const;
    // The taker has all that it wants.
    [[nodiscard]] bool has_enough() const;
    // How long the server keeps the connection when it is not used, where it says so (the
    // Keep-Alive field's timeout).
    [[nodiscard]] std::optional<std::chrono::seconds> kept_for() const;
    // Whole, nothing came behind it, and the connection may be used again.
    [[nodiscard]] bool leaves_reusable() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace agentd::model
