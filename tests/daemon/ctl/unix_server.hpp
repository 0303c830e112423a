// A daemon for agentctl's tests that does what the test says: a real Unix socket, a script for
// each connection, every request recorded. Threads of its own, blocking calls.
#pragma once

#include "base/unique_fd.hpp"

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace agentd::testing {

class unix_server {
public:
    // One connection, in the hands of its script.
    class peer {
    public:
        peer(unix_server& owner, int fd) : owner_(owner), fd_(fd) {}

        // A whole request (head and content-length's body); "" when the client has gone.
        std::string read_request();
        void send(std::string_view bytes);

    private:
        unix_server& owner_;
        int fd_;
        std::string unread_;
    };
    using script = std::function<void(peer&)>;

    // Connection number n runs scripts[n], the last one for all that follow; after it the
    // connection is closed.
    explicit unix_server(std::vector<script> scripts);
    ~unix_server();
    unix_server(const unix_server&) = delete;
    unix_server& operator=(const unix_server&) = delete;

    [[nodiscard]] std::string path() const { return folder_ + "/sock"; }
    [[nodiscard]] std::vector<std::string> requests();

private:
    void serve();
    void note(const std::string& request);

    std::string folder_;
    std::vector<script> scripts_;
    base::unique_fd listening_;
    base::unique_fd stop_read_, stop_write_;
    std::mutex lock_;
    std::vector<std::string> requests_;
    std::vector<std::thread> talking_;
    std::vector<int> open_; // connections that a script may still be reading from
    std::thread accepting_;
};

// An answer with content-length, and one whose body goes on in chunks until last_chunk().
[[nodiscard]] std::string http_answer(
    int status, std::string_view body, std::string_view extra_head = "");
[[nodiscard]] std::string chunked_head(std::string_view extra_head = "");
[[nodiscard]] std::string chunk(std::string_view bytes);
[[nodiscard]] std::string last_chunk();

// Answers every request of a connection with the same thing.
[[nodiscard]] unix_server::script always(std::string answer);
// Answers request number n with answers[n], and closes after the last.
[[nodiscard]] unix_server::script in_turn(std::vector<std::string> answers);

// What one run of agentctl did.
struct ran {
    int exit_code = 0;
    std::string out;
    std::string err;
};
[[nodiscard]] ran agentctl(std::vector<std::string> arguments);

} // namespace agentd::testing
