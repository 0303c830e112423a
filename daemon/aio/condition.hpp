// "Something has changed, look again": any number of coroutines wait, each with a deadline of
// its own. On one strand only; from elsewhere, post to it.
#pragma once

#include "aio/awaitable.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <list>

namespace agentd::aio {

class condition {
public:
    explicit condition(executor strand) : strand_(std::move(strand)) {}

    void notify_all();
    // Goes on after the next notify_all(), or at the deadline. The caller checks what he waits
    // for in a loop. Throws operation_aborted when cancelled.
    awaitable<> wait_until(std::chrono::steady_clock::time_point deadline);

private:
    executor strand_;
    std::list<asio::steady_timer*> waiting_; // locals of the waiting coroutines
};

} // namespace agentd::aio
