// Connections of one origin that are open and unused. On the origin's strand only. Bounded:
// limits::idle_connections; beyond that they are closed, and after deadlines::pooled or what the
// server allows (Keep-Alive), whichever is less.
#pragma once

#include "base/clock.hpp"
#include "model/connection.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <vector>

namespace agentd::model {

class pool {
public:
    pool(const aio::executor& strand, std::chrono::milliseconds keep);
    ~pool();

    // The one used last that is still quiet; null when there is none.
    [[nodiscard]] connection_ptr take();
    void put(connection_ptr unused);

private:
    struct state;
    // Shared with the timer's completion, which may come after the pool is gone.
    std::shared_ptr<state> state_;
};

} // namespace agentd::model
