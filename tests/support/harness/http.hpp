// A blocking HTTP/1.1 client for tests: over the daemon's Unix socket (what goes over it is
// recorded for scripts/check-openapi) and over TLS to the scripted model's control calls.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentd::testing {

using headers = std::vector<std::pair<std::string, std::string>>;

struct http_reply {
    int status = 0;
    testing::headers headers;
    std::string body;

    // "" if there is none.
    [[nodiscard]] std::string header(std::string_view name) const;
};

// One connection; kept alive between calls.
class http_client {
public:
    // The daemon's socket.
    explicit http_client(const std::string& socket);
    // https://127.0.0.1:PORT with this authority.
    http_client(const std::string& url, const std::string& ca_file);
    ~http_client();
    http_client(http_client&&) noexcept;

    // A call and its whole reply; fails the test when none comes.
    http_reply call(std::string_view method, std::string_view target, std::string_view body = {},
        const testing::headers& with = {});
    // Bytes as they are, for what no client would send; then read_reply().
    void send_raw(std::string_view bytes);
    http_reply read_reply(std::string_view method = "GET");
    // True when the other side has closed.
    bool is_closed();

    // A call whose reply goes on: its head, then line by line.
    http_reply open_stream(std::string_view target, const testing::headers& with = {});
    // nullopt: the stream has ended, or nothing came in time.
    std::optional<std::string> next_line(std::chrono::milliseconds limit);

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace agentd::testing
