// What is kept of the history and for how long, and the coroutine that removes the rest: in
// steps of some milliseconds with pauses between them, so that nobody waits for it. Free pages
// are given back to the file system in the same steps (auto_vacuum is INCREMENTAL since the
// first version; a file that says otherwise keeps its size and uses its free pages again).
// run() and set() on one strand.
#pragma once

#include "aio/awaitable.hpp"
#include "store/connection.hpp"

#include <chrono>
#include <cstdint>

namespace agentd::store {

class store;

struct retention_rules {
    std::chrono::hours events_age{24 * 30}; // and of the ids of what was deleted
    std::int64_t events_count = 10'000'000; // at least so many are kept, unless they are too old
};

// What one step has removed.
struct purged {
    std::int64_t events = 0;
    std::int64_t keys = 0;
    std::int64_t ids = 0; // of deleted sessions, tasks and jobs
    std::int64_t pages = 0;
};

// Whether a step would find something. On either of the store's threads.
[[nodiscard]] bool is_purge_due(connection& db, const retention_rules& rules, base::wall_time now);
// Removes a bounded number of what is too old or too many. On the writing thread.
[[nodiscard]] purged purge(connection& db, const retention_rules& rules, base::wall_time now);

class retention {
public:
    retention(store& db, retention_rules rules) : db_(db), rules_(rules) {}

    // In force from the next step on.
    void set(retention_rules rules) { rules_ = rules; }
    // Purges now and every limits::purge_every, until cancelled.
    aio::awaitable<> run();

private:
    // One step, if there is something to do; false: nothing, or the disk fails.
    aio::awaitable<bool> pass();

    store& db_;
    retention_rules rules_;
};

} // namespace agentd::store
