// Something that happens once and that coroutines wait for ("the job has ended"). On one
// strand only; from elsewhere, post to it.
#pragma once

#include "aio/awaitable.hpp"

#include <boost/asio/steady_timer.hpp>

namespace agentd::aio {

class flag {
public:
    explicit flag(executor strand) : raised_(std::move(strand)) {}

    // Wakes everyone who waits, now and later.
    void raise();
    [[nodiscard]] bool is_raised() const { return is_raised_; }
    // Goes on once it is raised. Throws operation_aborted when cancelled.
    awaitable<> wait();

private:
    bool is_raised_ = false;
    asio::steady_timer raised_;
};

} // namespace agentd::aio
