// Which sessions are live. It alone makes and retires a session's coroutine, in one step with
// looking for work: a signal either reaches a live session before it goes, or makes a new one.
// signal() from any thread; the bookkeeping is on a strand of its own.
#pragma once

#include "aio/task_group.hpp"
#include "session/session.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>

namespace agentd::session {

class registry {
public:
    explicit registry(environment& shared);
    registry(const registry&) = delete;
    registry& operator=(const registry&) = delete;

    // Tells the session; one that is not live is made for look_for_work and kill_job (see
    // live_jobs::ask_to_end), and has no use for the others (what they tell is in the store).
    void signal(const base::session_id& id, incoming what);

    // Until it is released, nothing makes the session live / its work is looked for now.
    void hold_back(const base::session_id& id);
    void release(const base::session_id& id);

    // No session is made any more; all live ones end their work as an orderly stop has it
    // (DESIGN §3). Goes on when they are gone.
    aio::awaitable<> shut_down();

    [[nodiscard]] aio::awaitable<std::size_t> count_live();

private:
    struct entry {
        std::shared_ptr<session> live; // shared with signals under way to it
        std::uint64_t signals = 0;     // sent to it
    };
    void deliver(const base::session_id& id, incoming what);
    aio::awaitable<> keep(std::shared_ptr<session> what);
    void drop(const std::shared_ptr<session>& what);
    aio::awaitable<bool> retire(base::session_id id, std::uint64_t seen);
    aio::awaitable<bool> forget(base::session_id id, std::uint64_t seen);
    aio::awaitable<> end_all();
    aio::awaitable<std::size_t> size() const;

    environment& shared_;
    aio::executor strand_;
    bool stopping_ = false;
    std::map<base::session_id, entry> live_;
    std::set<base::session_id> held_;
    aio::task_group running_; // last: its coroutines use all the others
};

} // namespace agentd::session
