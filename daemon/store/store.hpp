// What survives a restart: one SQLite database, written by one thread and read by another.
// Work is handed in as a function over a connection; it runs as one transaction, and the
// caller's coroutine goes on (on its own executor) when it is committed. Transactions that
// wait together are committed together (group commit). Being written by one thread, they are
// also what decides races: cancel against finish, message against finish.
// Callable from any strand. The store ends before the io_context of its callers does.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "proto/api/types.hpp"
#include "store/step.hpp"
#include "store/work.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agentd::store {

class connection;

enum class errc {
    no_space = 1, // the disk is full
    io,           // the disk fails, or is read-only
    corrupt,      // the file is no database any more
    newer,        // the schema was written by a newer agentd
    not_opened,   // the file cannot be opened at all
    closed,       // the store is shutting down
    overloaded,   // limits::store_queue works wait already; this one was not taken
    failed,       // the work broke a rule of the schema or threw: a bug, undone
};
[[nodiscard]] std::string_view error_text(errc);

} // namespace agentd::store

AGENTD_ERROR_ENUM(agentd::store)

namespace agentd::store {

// What a commit has to survive: the machine's power (synced), or the process alone.
enum class durability { power_loss, process_death };

using committed_events = std::shared_ptr<const std::vector<proto::api::event>>;

// Numbers of events that were perhaps given to somebody before a power loss took them: they
// are never used (again), both ends included.
struct seq_jump {
    base::event_seq first = 0;
    base::event_seq last = 0;
};

// What tests and tools set differently.
struct options {
    std::string boot_id; // of this run of the machine; empty: the kernel's
};

class store {
public:
    // Opens (or creates, or migrates after a backup) FOLDER/agentd.db and starts the threads.
    // FOLDER is made if need be (0700); the caller holds the lock on it.
    static base::result<std::unique_ptr<store>> open(const std::string& folder, options how = {});
    virtual ~store() = default; // finishes what was handed in

    // Runs `work(connection&)` as one transaction and gives its value once it is committed.
    // A failing database is an error (errc); nothing of the work has then happened. If the value
    // is itself a result<> holding an error, the work is rolled back and the error given.
    // Not interrupted by cancellation once handed in: a commit that happened is always told.
    template <class Work>
    aio::awaitable<work_result<Work>> write(step name, durability keep, Work work);

    // The same for reading, on the reading thread: sees everything committed before the call.
    template <class Work>
    aio::awaitable<work_result<Work>> read(Work work);

    // `sink` gets the events of each commit, in order of seq, on the writing thread; it must
    // only hand them on. Set once, before the first write.
    virtual void on_events(std::function<void(committed_events)> sink) = 0;

    // Why writes fail now; empty when they do not. Until the store has seen, trying once a
    // second, that the disk is back, only what ends work is tried, and all else refused with the
    // same condition (trouble.hpp). Any thread.
    [[nodiscard]] virtual std::string degraded() const = 0;
    // `sink` hears degraded() whenever it changes (at once, if it is not empty), on the writing
    // thread; it must only hand it on. Set once.
    virtual void on_trouble(std::function<void(std::string)> sink) = 0;

    // What open() had to leave out of the history: the machine went down without an orderly
    // stop (for daemon.recovered). Told at each open until an event follows it. Any thread.
    [[nodiscard]] virtual std::optional<seq_jump> jump() const = 0;

protected:
    // Each unit is answered exactly once, by complete() or fail(), on the store's thread or
    // (refused: closed, overloaded) on the caller's.
    virtual void push_write(step name, durability keep, std::unique_ptr<unit_of_work> work) = 0;
    virtual void push_read(std::unique_ptr<unit_of_work> work) = 0;

private:
    template <class Work>
    struct start_write;
    template <class Work>
    struct start_read;
};

} // namespace agentd::store

#include "store/impl/store.hpp"
