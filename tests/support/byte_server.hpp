// A server that knows no protocol: it takes connections on a free loopback port, records what
// comes and does what the test says, byte by byte, over plain TCP or TLS. Threads of its own,
// blocking calls; it is the other end of real sockets.
#pragma once

#include "tests/support/certificate.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

// One connection, in the hands of a script.
class peer {
public:
    virtual ~peer() = default;

    // Reads a request: its head and as much body as content-length says. "" at the end of the
    // connection.
    virtual std::string read_request() = 0;
    // Only the head.
    virtual std::string read_head() = 0;
    virtual void send(std::string_view bytes) = 0;
    // Each byte in a write of its own.
    void send_bytewise(std::string_view bytes);
    // Waits until the client ends the connection; true if it did within `limit`.
    virtual bool client_leaves(std::chrono::milliseconds limit) = 0;
    // Ends it with RST / with FIN and without TLS's close_notify.
    virtual void reset() = 0;
    virtual void cut() = 0;
    // The name in the client hello; "" for none.
    [[nodiscard]] virtual std::string sni() const = 0;
    // The handshake went on from a session of an earlier connection.
    [[nodiscard]] virtual bool resumed() const { return false; }
    // Carries bytes between this connection (a plain one) and a port of this machine until one
    // of the two ends: what a proxy does after a CONNECT.
    virtual void relay(std::uint16_t port) = 0;
};

// Where a server listens and what it speaks, where that matters.
struct listen_wish {
    std::string address = "127.0.0.1"; // any of 127.0.0.0/8
    std::uint16_t port = 0;            // 0: a free one
    bool old_tls = false;              // TLS 1.2 alone
};

class byte_server {
public:
    using script = std::function<void(peer&)>;

    // Connection number n runs scripts[n], the last one for all that follow. When a script
    // returns the connection is closed in order.
    explicit byte_server(std::vector<script> scripts, std::optional<certificate> tls = {},
        const listen_wish& where = {});
    ~byte_server();
    byte_server(const byte_server&) = delete;
    byte_server& operator=(const byte_server&) = delete;

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] std::string url(std::string_view host = "127.0.0.1") const;
    // What has been read as requests, in the order they were whole.
    [[nodiscard]] std::vector<std::string> requests() const;
    // Connections taken so far, whether or not TLS came to be.
    [[nodiscard]] std::size_t connections() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace agentd::testing
