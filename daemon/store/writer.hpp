// The writing thread: takes all works that wait, runs them as one transaction, commits,
// publishes their events, tells their callers. Each work stands in a savepoint, so that one
// that fails takes nothing of its neighbours with it.
#pragma once

#include "base/limits.hpp"
#include "store/checkpointer.hpp"
#include "store/event_log.hpp"
#include "store/sqlite.hpp"
#include "store/store.hpp"
#include "store/trouble.hpp"
#include "store/work_queue.hpp"

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace agentd::store {

class writer {
public:
    // Starts the thread. Throws sqlite_error.
    writer(std::unique_ptr<sqlite_connection> db, event_log log, const std::string& file);
    // Finishes what was handed in; then marks the store closed.
    ~writer();
    writer(const writer&) = delete;
    writer& operator=(const writer&) = delete;

    // Any thread. Refused works fail here.
    void push(step name, durability keep, std::unique_ptr<unit_of_work> work);
    void on_events(std::function<void(committed_events)> sink);
    void on_trouble(std::function<void(std::string)> sink) { trouble_.on_change(std::move(sink)); }
    [[nodiscard]] std::string degraded() const { return trouble_.text(); }
    [[nodiscard]] std::optional<seq_jump> jump() const { return jump_; }

private:
    struct pending {
        step name{};
        durability keep{};
        std::unique_ptr<unit_of_work> work;
        std::optional<base::error> failure; // its own, not the database's
        bool kept = false;                  // it is part of the commit
    };
    using batch = std::vector<pending>;

    void main();
    void prepare_first();
    void make_room();
    // Refuses what is not tried while there is trouble.
    void hold_back(batch& works);
    void run_batch(batch& works);
    // Everything up to and with COMMIT; the error that undid all of it.
    [[nodiscard]] std::optional<base::error> transact(batch& works);
    void run_one(pending& item, bool alone);
    void commit(const batch& works);
    // The work itself; false when it is to be rolled back.
    [[nodiscard]] bool attempt(pending& item);
    void roll_back();
    // Tries whether the disk is back: the room for bad days, and a small write.
    void probe();
    void watch_log(int pages);

    std::unique_ptr<sqlite_connection> db_;
    event_log log_;
    const std::optional<seq_jump> jump_;
    checkpointer checkpointer_;
    bool log_too_long_ = false;
    work_queue<pending> queue_{limits::store_queue};
    std::function<void(committed_events)> sink_;
    trouble trouble_;
    std::jthread thread_;
};

} // namespace agentd::store
