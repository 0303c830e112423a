// Waiting for something that another connection does: a release, a request, a reply.
// `ring` may come from any thread; each waiter wakes on its own strand and looks again.
#pragma once

#include "byte_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace agentd::testing {

class bell {
public:
    /// Wakes everyone who waits.
    void ring();

    /// Waits until `ready` says yes. False: the time was up or the client went away.
    /// `ready` is called on the waiter's strand and must be thread-safe.
    asio::awaitable<bool> wait_until(byte_stream& client, std::function<bool()> ready,
        std::chrono::steady_clock::time_point deadline);

private:
    void join(const std::shared_ptr<asio::steady_timer>& timer);

    std::mutex mutex_;
    std::vector<std::weak_ptr<asio::steady_timer>> waiting_;
};

/// Names at which replies are held until a test releases them. A release lasts: replies that
/// come to the name later pass. Thread-safe.
class holds {
public:
    void release(const std::string& name);
    [[nodiscard]] bool released(const std::string& name) const;
    /// How many replies are held there now.
    [[nodiscard]] std::size_t held(const std::string& name) const;
    [[nodiscard]] std::map<std::string, std::size_t> all_held() const;

    /// Waits for the release. False: the client went away.
    asio::awaitable<bool> pass(byte_stream& client, std::string name);

    /// Called after each change of who is held.
    void on_change(std::function<void()> call) { changed_ = std::move(call); }

private:
    struct gate {
        bool open = false;
        std::size_t held = 0;
    };
    void count(const std::string& name, int by);

    mutable std::mutex mutex_;
    std::map<std::string, gate> gates_;
    bell released_;
    std::function<void()> changed_ = [] {};
};

} // namespace agentd::testing
