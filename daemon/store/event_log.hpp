// The numbers of events, and the events of the running commit on their way to the followers.
// On the writing thread.
//
// `seq` is gapless and never used twice. Four cases at open():
// 1. the store was closed: the next number follows the newest event;
// 2. the process died: the same, since a commit survives that;
// 3. the machine went down: commits that were not synced may be lost although followers saw
//    their events. So a number beyond all that were ever given out (`reserved`, synced before
//    it is passed) is kept, and the next number follows that one;
// 4. something has taken commits away (the write-ahead log, its end, or by an older copy): the
//    next number follows the newest that was given out (seq_mark.hpp), or, where that is not
//    known and the log is gone, `reserved`.
#pragma once

#include "proto/api/types.hpp"
#include "store/seq_mark.hpp"
#include "store/sqlite.hpp"
#include "store/store.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agentd::store {

class event_log {
public:
    // Reads where the history stands. `wal_gone`: there was no write-ahead log before `db` was
    // opened. Throws sqlite_error.
    event_log(sqlite_connection& db, std::string boot_id, seq_mark given, bool wal_gone);

    base::event_seq append(sqlite_connection& db, proto::api::event what);
    [[nodiscard]] base::event_seq next() const { return next_; }
    [[nodiscard]] const std::string& boot_id() const { return boot_id_; }
    [[nodiscard]] std::optional<seq_jump> jump() const { return jump_; }
    // Case 4: what is in the database cannot be trusted without a look at all of it.
    [[nodiscard]] bool has_lost() const { return has_lost_; }

    // How many events the running transaction has; back to that many, numbers included.
    [[nodiscard]] std::size_t mark() const { return fresh_.size(); }
    void rewind(std::size_t mark);
    // Before a transaction: reserves numbers if there are few left (a synced commit of its own).
    // The first time it also marks the database as in use by this boot. True: it has.
    bool make_room(sqlite_connection& db);
    // After the commit: the events to publish; null when there are none.
    [[nodiscard]] committed_events take();

    // The last thing before an orderly end.
    void close(sqlite_connection& db);

private:
    std::string boot_id_;
    seq_mark given_;
    bool has_lost_ = false;
    base::event_seq next_ = 1;
    base::event_seq reserved_ = 0; // the highest number that may be given out
    std::optional<seq_jump> jump_;
    std::vector<proto::api::event> fresh_;
};

} // namespace agentd::store
