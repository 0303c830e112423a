// Work that blocks and cannot be interrupted (getaddrinfo, reading the certificates), on threads
// of its own, for any number of coroutines that want its one answer. Not aio::blocking_pool:
// that one's end waits for its work, and a stalled look-up would hold up the daemon's stop.
// Not Asio's resolver: it has one thread for all look-ups of an io_context (Boost 1.81,
// resolver_service_base), so one that stalls blocks every other, and it is joined at the end.
// From any strand.
#pragma once

#include "aio/awaitable.hpp"
#include "aio/flag.hpp"
#include "base/at_exit.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace agentd::model {

struct side_work_bounds {
    std::size_t threads = 1;            // at work at once
    std::chrono::milliseconds patience; // then another is begun beside those that still run
    bool keeps = false;                 // a good answer is the answer for ever
};

// `Value` is copied to each who waits. Bounded by its threads; a new caller joins those who wait.
template <class Value>
class side_work {
public:
    using answer = base::result<Value>;
    // Blocks, does not throw, and owns what it uses: it may outlive this object.
    using function = std::function<answer()>;

    side_work(function work, side_work_bounds bounds)
        : shared_(std::make_shared<shared>(std::move(work), bounds))
    {}

    // The next answer of a thread at work, or the kept one; a std::errc where no thread is to be
    // had. The caller's deadline ends the wait and not the work. Throws operation_aborted when
    // cancelled.
    [[nodiscard]] aio::awaitable<answer> wanted()
    {
        const auto all = shared_;
        const auto self = co_await aio::asio::this_coro::executor;
        waiter me{self};
        std::uint64_t number = 0;
        bool begins = false;
        {
            const std::lock_guard lock{all->guard};
            if (all->kept)
                co_return *all->kept;
            number = ++all->last_number;
            all->waiting.emplace(number, &me);
            begins = all->wants_another();
        }
        const base::at_exit leave{[&all, number] {
            const std::lock_guard lock{all->guard};
            all->waiting.erase(number);
        }};
        if (begins) {
            if (auto begun = start(all); !begun)
                co_return std::unexpected(std::move(begun.error()));
        }
        co_await me.done.wait();
        co_return std::move(*me.told);
    }

private:
    struct waiter {
        explicit waiter(aio::executor strand) : home(strand), done(std::move(strand)) {}
        aio::executor home;
        aio::flag done;
        std::optional<answer> told;
    };

    // Held by the threads, too. Executors are in the waiters alone, which their coroutines own:
    // a thread that comes back after the io_context is gone finds none.
    struct shared {
        shared(function w, side_work_bounds b) : work(std::move(w)), bounds(b) {}

        bool wants_another()
        {
            const auto now = base::mono_now();
            const bool stalled = running < bounds.threads && now - begun >= bounds.patience;
            if (running != 0 && !stalled)
                return false;
            ++running;
            begun = now;
            return true;
        }

        const function work;
        const side_work_bounds bounds;
        std::mutex guard; // of all below
        std::map<std::uint64_t, waiter*> waiting;
        std::uint64_t last_number = 0;
        std::size_t running = 0;
        base::mono_time begun{}; // the youngest of them
        std::optional<Value> kept;
    };

    static base::result<> start(const std::shared_ptr<shared>& all)
    {
        try { // the library's only way to say that there is no thread to be had
            std::thread{[all] { tell(all, all->work()); }}.detach();
        } catch (const std::system_error& why) {
            const std::lock_guard lock{all->guard};
            --all->running;
            return std::unexpected(
                base::error{why.code(), std::string{"cannot start a thread: "} + why.what()});
        }
        return {};
    }

    // On the thread. Who waits hears it on his own strand, if he still waits by then.
    static void tell(const std::shared_ptr<shared>& all, answer what)
    {
        const std::lock_guard lock{all->guard};
        --all->running;
        if (what && all->bounds.keeps)
            all->kept = *what;
        for (const auto& [number, who] : all->waiting)
            aio::asio::post(who->home, [all, number, what] { hear(*all, number, what); });
    }

    static void hear(shared& all, std::uint64_t number, const answer& what)
    {
        waiter* who = nullptr;
        {
            const std::lock_guard lock{all.guard};
            const auto found = all.waiting.find(number);
            if (found == all.waiting.end())
                return;
            who = found->second; // stays: its coroutine runs on this strand, after this
        }
        who->told = what;
        who->done.raise();
    }

    std::shared_ptr<shared> shared_;
};

} // namespace agentd::model
