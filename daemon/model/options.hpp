// What the configuration says about the model's endpoint, and the factory that makes a client
// of it. Filled by app/; plain data.
#pragma once

#include "base/error.hpp"
#include "base/limits.hpp"
#include "model/client.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace agentd::model {

// What is sent to be let in: exactly one header. Its value goes nowhere else: not to a log,
// an error, an event, a command's environment.
struct credential {
    enum class kind {
        none,
        api_key, // x-api-key
        bearer,  // authorization: Bearer
    };
    kind is = kind::none;
    std::string value; // white space around it is dropped
};

// How long each stage may take; 0: no limit (`total` alone).
struct deadlines {
    // All addresses together, with their look-up; and once more for a proxy's answer.
    std::chrono::milliseconds connect = limits::connect_deadline;
    std::chrono::milliseconds handshake = limits::handshake_deadline;
    std::chrono::milliseconds send = limits::send_deadline;
    std::chrono::milliseconds first_byte = limits::first_byte_deadline;
    std::chrono::milliseconds idle = limits::stream_idle_deadline; // any byte starts it anew
    std::chrono::milliseconds total{0}; // one attempt, from its connection on
    std::chrono::milliseconds pooled = limits::connection_idle; // an unused connection is kept
};

// What a request says besides to a proxy that forwards it (plain http; wire reference §5): a
// target in absolute form, and what lets it in.
struct forwarding {
    std::string before_path;          // "http://host:port"
    std::string fields;               // lines of the head; a secret
    std::vector<std::string> secrets; // as what it could be quoted
};

struct options {
    std::string base_url = "https://api.anthropic.com";
    bool allow_plain_http = false; // to hosts other than this one
    std::string ca_file;           // PEM, in addition to the system's (SSL_CERT_FILE, SSL_CERT_DIR)
    credential key;
    // [http://][user:password@]host[:port]; "" and "none": there is none. A secret.
    std::string proxy;
    std::vector<std::string> no_proxy;  // hosts that are reached without it, besides this one
    std::string version = "2023-06-01"; // anthropic-version
    std::int64_t max_tokens = 16'000;   // of requests that do not say
    std::vector<std::string> fallback;  // models to go on with, in order, at overload and refusal
    std::chrono::milliseconds retry_for = limits::retry_for;
    std::int64_t retry_attempts = 0; // attempts in all, the first included; 0: as time allows
    deadlines limits;
    forwarding forwarded; // not configured: the origin knows it
};

// What is wrong with `what`, for --check-config: the URL, the proxy, the credential's form, the
// certificates. Reads those: blocks. No credential is no error here: the client is then degraded.
[[nodiscard]] base::result<> check(const options& what);
// Something a user should know although it works, e.g. a base URL that ends in /v1; or "".
[[nodiscard]] std::string warning_about(const options& what);

// The proxy that requests go through, as host:port, or "none"; for people.
[[nodiscard]] std::string proxy_in_use(const options& what);

// A client for the Messages API. Options that cannot be used make it degraded: each `ask`
// fails at once and says why. `io` is the io_context's executor; the client dies after all
// that asked through it and before the io_context.
[[nodiscard]] std::unique_ptr<client> make_client(aio::executor io, options what);

} // namespace agentd::model
