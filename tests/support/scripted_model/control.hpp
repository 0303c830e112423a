// The endpoints by which a test looks into the server and steers it: /__control/...
// They need no credential: the server listens on loopback and lives for one test.
// Thread-safe; each call runs on the strand of the connection that made it.
#pragma once

#include "bell.hpp"
#include "director.hpp"
#include "http_request.hpp"
#include "recorder.hpp"
#include "wire_plan.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <atomic>
#include <cstdint>

namespace agentd::testing {

/// Connections and streams now and at most so far.
struct server_counts {
    std::atomic<std::uint64_t> connections{0}; ///< accepted so far; also the numbering
    std::atomic<std::int64_t> open{0};
    std::atomic<std::int64_t> most_open{0};
    std::atomic<std::int64_t> streams{0};
    std::atomic<std::int64_t> most_streams{0};

    static void enter(std::atomic<std::int64_t>& now, std::atomic<std::int64_t>& most);
};

class control {
public:
    /// All must outlive this.
    control(director& decisions, recorder& records, holds& gates, server_counts& counts);

    /// Whether a path is one of these.
    static bool owns(std::string_view path);

    /// Answers; `client` and `request` are the awaiting connection's.
    asio::awaitable<wire_plan> answer(byte_stream& client, const http_request& request);

private:
    asio::awaitable<wire_plan> wait(byte_stream& client, const http_request& request);
    [[nodiscard]] boost::json::object status() const;

    director& decisions_;
    recorder& records_;
    holds& gates_;
    server_counts& counts_;
    bell changed_;
};

} // namespace agentd::testing
