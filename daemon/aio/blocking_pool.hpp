// Threads for work that blocks (large files, spool writes, name look-ups of files): the
// io_context's threads never touch a disk. Callable from any strand; the caller's coroutine
// comes back to its own executor.
#pragma once

#include "aio/awaitable.hpp"
#include "base/blocked_signals.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <type_traits>
#include <utility>

namespace agentd::aio {

class blocking_pool {
public:
    explicit blocking_pool(std::size_t threads) : pool_(threads) {}
    // Waits for the work that has been handed in.
    ~blocking_pool() { pool_.join(); }

    // Runs `work` (which does not throw) on a thread of the pool and returns its value. Once
    // handed in it is run to its end: cancelling the caller does not interrupt it.
    template <class Work>
    awaitable<std::invoke_result_t<Work&>> run(Work work)
    {
        auto started =
            asio::async_initiate<const asio::use_awaitable_t<>&, void(std::invoke_result_t<Work&>)>(
                initiate<Work>{&pool_}, asio::use_awaitable, std::move(work));
        co_return co_await std::move(started);
    }

private:
    template <class Work>
    struct initiate {
        asio::thread_pool* pool;

        template <class Handler>
        void operator()(Handler handler, Work work) const
        {
            auto guard = asio::make_work_guard(handler);
            asio::post(*pool,
                [handler = std::move(handler), work = std::move(work),
                    guard = std::move(guard)]() mutable {
                    auto value = work();
                    auto home = guard.get_executor();
                    asio::dispatch(
                        home, [handler = std::move(handler), value = std::move(value)]() mutable {
                            std::move(handler)(std::move(value));
                        });
                });
        }
    };

    // Its threads are started with all signals blocked, so that the end of a child
    // does not wake one of them on the way to the loop.
    struct quiet_pool : asio::thread_pool {
        explicit quiet_pool(std::size_t threads, const base::blocked_signals& = {})
            : asio::thread_pool(threads)
        {}
    };
    quiet_pool pool_;
};

} // namespace agentd::aio
