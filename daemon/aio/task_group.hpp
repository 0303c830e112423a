// The owner of spawned coroutines: nothing runs detached. A group is the last member of its
// owner; it is cancelled and joined before the owner dies. What escapes from a coroutine is
// logged with its name and ends that coroutine alone.
// All calls on the group's strand; the coroutines may run elsewhere (spawn_on).
#pragma once

#include "aio/awaitable.hpp"

#include <memory>
#include <string>

namespace agentd::aio {

class task_group {
public:
    // `strand` serialises the group's own bookkeeping and is where `spawn` runs things.
    explicit task_group(executor strand);
    ~task_group(); // asserts that nothing is left: join() first
    task_group(const task_group&) = delete;
    task_group& operator=(const task_group&) = delete;

    // Starts `work` on the group's strand / on `where`. `name` is for the log.
    void spawn(std::string name, awaitable<> work);
    void spawn_on(executor where, std::string name, awaitable<> work);

    // Asks all running ones to end (terminal cancellation); they are still to be joined.
    void cancel();
    // Goes on when none is running. Not cancellable: cancel() first if they may go on for long.
    // A caller that has been cancelled shields itself before.
    awaitable<> join();
    [[nodiscard]] std::size_t size() const;

private:
    struct state;
    std::shared_ptr<state> state_; // shared: completions of the coroutines hold it, too
};

// One coroutine that can be cancelled and awaited by itself; same rules as a group.
class task {
public:
    explicit task(executor strand) : group_(std::move(strand)) {}

    void start(std::string name, awaitable<> work)
    {
        group_.spawn(std::move(name), std::move(work));
    }
    void cancel() { group_.cancel(); }
    awaitable<> join() { return group_.join(); }
    [[nodiscard]] bool running() const { return group_.size() != 0; }

private:
    task_group group_;
};

} // namespace agentd::aio
