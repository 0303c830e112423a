// The newest event number that was given out, in a file of its own (agentd.db-seq) beside the
// database: so that numbers are not used twice when what is on disk is older than what was told,
// be it that the write-ahead log has vanished or lost its end, or that an older copy of the
// database was put in its place. Not synced: for a power loss there is `seq_reserved` in the
// database (event_log.hpp). On the writing thread.
#pragma once

#include "base/unique_fd.hpp"
#include "proto/api/types.hpp"

#include <string>

namespace agentd::store {

class seq_mark {
public:
    // Opens or makes the file. Without it, or with another content, nothing is known.
    explicit seq_mark(const std::string& file);

    // What stood there; 0: nothing is known.
    [[nodiscard]] base::event_seq found() const { return found_; }
    // After a commit, before anybody hears of its events. A disk that refuses is no failure:
    // commits fail then, too.
    void set(base::event_seq newest);

private:
    base::unique_fd file_;
    base::event_seq found_ = 0;
};

// What stands in such a file, which is only read; 0: nothing is known.
[[nodiscard]] base::event_seq newest_given(const std::string& file);

} // namespace agentd::store
