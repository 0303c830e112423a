// Runs one coroutine on an io_context of its own and fails the test when it does not end.
#pragma once

#include "aio/awaitable.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <functional>

namespace agentd::testing {

// `body` gets the strand it runs on; `limit` is for a hang, not for measuring.
inline void run_coro(std::function<aio::awaitable<>(aio::executor)> body,
    std::chrono::seconds limit = std::chrono::seconds{20})
{
    boost::asio::io_context io;
    const aio::executor strand = boost::asio::make_strand(io);
    bool ended = false;
    std::exception_ptr failure;
    boost::asio::co_spawn(strand, body(strand), [&ended, &failure](std::exception_ptr e) {
        ended = true;
        failure = e;
    });
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!ended && std::chrono::steady_clock::now() < until) {
        if (io.run_one_until(until) == 0 && io.stopped())
            break; // out of work without an end: a lost wake-up
    }
    REQUIRE_MESSAGE(ended, "the coroutine did not end");
    if (failure)
        std::rethrow_exception(failure);
}

} // namespace agentd::testing
