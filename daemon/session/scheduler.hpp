// The places of running tasks (limits.running_tasks): a task needs one to be started or woken
// and gives it back when it waits or ends. Callable from any strand; the bookkeeping is on a
// strand of its own.
#pragma once

#include "aio/awaitable.hpp"

#include <cstdint>
#include <memory>

namespace agentd::session {

class scheduler {
public:
    // A place; destroying it gives it back, on any thread.
    class place {
    public:
        place() = default; // none
        place(place&&) noexcept = default;
        place& operator=(place&& other) noexcept;
        ~place() { release(); }

    private:
        friend class scheduler;
        struct state;
        explicit place(std::shared_ptr<void> held) : held_(std::move(held)) {}
        void release() { held_.reset(); }
        std::shared_ptr<void> held_; // its deleter posts the return
    };

    scheduler(const aio::executor& io, std::size_t places);
    ~scheduler();

    struct wish {
        std::uint32_t owner = 0;
        int priority = 0;
        bool woken = false;
    };
    // Waits for a place. Throws operation_aborted when cancelled.
    aio::awaitable<place> enter(wish what);

private:
    struct state;
    std::shared_ptr<state> state_; // shared with the places that are out
};

} // namespace agentd::session
