// Cancels that the disk does not take now. They have their effect at once; to be stored they
// wait here until the disk is back. (What is lost with the daemon meanwhile was not kept by
// anybody: agentd(8) says so.) Bounded. On a strand of its own.
#pragma once

#include "aio/task_group.hpp"
#include "session/environment.hpp"
#include "store/connection.hpp"

#include <atomic>
#include <functional>

namespace agentd::session {

class late_cancels {
public:
    using request = std::function<void(store::connection&)>;

    explicit late_cancels(environment& shared);

    // Stores it when that is possible, then calls `stored` on a thread of the loop. False: too
    // many wait. Any thread.
    [[nodiscard]] bool add(request what, std::function<void()> stored);
    // What waits is given up.
    aio::awaitable<> stop();

private:
    aio::awaitable<> keep(request what, std::function<void()> stored);
    aio::awaitable<> end();

    environment& shared_;
    aio::executor strand_;
    std::atomic<std::size_t> waiting_ = 0;
    bool stopping_ = false; // on strand_
    aio::task_group group_; // last: it uses the others
};

} // namespace agentd::session
