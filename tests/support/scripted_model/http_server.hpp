// The server: listens on loopback, one coroutine per connection, each on its own strand.
// Owns everything that lives as long as the server does. Used by the program and, in one
// process, by tests.
#pragma once

#include "control.hpp"
#include "director.hpp"
#include "recorder.hpp"
#include "scenario.hpp"
#include "tls_material.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

namespace agentd::testing {

struct server_options {
    std::uint16_t port = 0; ///< 0: any free one
    bool plain = false;     ///< http instead of https
    std::size_t threads = 1;
    std::string dir;         ///< where ca.pem is written; not needed for plain
    std::string record_file; ///< "" = none
    certificate_kind certificate = certificate_kind::good;
    director_options judging;
};

class http_server {
public:
    /// Listens at once; an error says why not. Serves only while `run` runs.
    static std::expected<std::unique_ptr<http_server>, std::string> open(
        scenario plan, server_options options);
    http_server(const http_server&) = delete;
    http_server& operator=(const http_server&) = delete;
    ~http_server();

    [[nodiscard]] std::string url() const;
    [[nodiscard]] std::string ca_file() const;
    [[nodiscard]] std::uint16_t port() const;

    /// Serves on `options.threads` threads, this one included, until `stop`.
    void run();
    /// As `run`, and also until SIGTERM or SIGINT.
    void run_until_signal();
    /// From any thread.
    void stop();

private:
    struct state;
    explicit http_server(std::unique_ptr<state> made);
    std::unique_ptr<state> state_;
};

} // namespace agentd::testing
