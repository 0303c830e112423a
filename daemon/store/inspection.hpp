// A look at the database from outside that changes nothing: for `agentd --check-state`, beside
// a running daemon or without one. Every file is opened for reading alone (a file system of our
// own between SQLite and the disk sees to it), so nothing is recovered, copied back or made.
// One thread; blocks.
#pragma once

#include "base/error.hpp"
#include "base/ids.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace agentd::store {

// The write-ahead log as a file.
struct log_file {
    bool there = false;
    std::uint64_t bytes = 0;
    std::uint64_t pages = 0;  // whole ones
    bool cut_off = false;     // ends within a page
    std::uint64_t known = 0;  // pages that its index knows of
    bool no_log = false;      // not empty, and does not begin like one
    bool index_there = false; // the -shm file, which all that use the log share
};
// Errors: io (it is there and cannot be read).
[[nodiscard]] base::result<log_file> look_at_log(const std::string& folder);

struct inspection {
    std::int64_t version = 0;   // of the schema; 0: an empty database
    std::int64_t known = 0;     // the newest that this program knows
    bool foreign = false;       // another program's
    bool in_use = false;        // marked so: a daemon works with it, or did not end in order
    base::event_seq newest = 0; // event that it has
    base::event_seq given = 0;  // the newest that somebody was told of; 0: not known
    bool without_log = false;   // read as if there were no log
    bool checked = true;        // all pages; false: there was no time
    std::vector<std::string> complaints; // about the pages
};

// Whether somebody works with the database: then his locks are respected, else there are none.
enum class company { daemon, none };

// Opens and reads; `patience` is for the check of the pages. Errors: not_opened, io, corrupt.
[[nodiscard]] base::result<inspection> inspect(
    const std::string& folder, company with, std::chrono::milliseconds patience);

} // namespace agentd::store
