// Watches a running job that takes input, and tells when it waits for that and, as far as can be
// seen, nothing else: see stall_watch.hpp. A job without input cannot stall so: /dev/null is at
// its end, and /dev/tty cannot be opened. (One that waits for a fifo of its own is not recognised.)
// On the strand of the command; the look itself runs on a thread of its own, so that the end of a
// job waits for no tool that works on files.
#pragma once

#include "aio/awaitable.hpp"

#include <chrono>
#include <functional>

namespace agentd::jobs {

class environment;
class job_input;
class leader;
class pump;
class tree;

struct stall_means {
    environment& shared;
    const leader& shell;
    const tree& processes;
    const pump& output;
    job_input& input;
    std::function<void(std::chrono::milliseconds)> tell; // how long it has been silent
};

// Until cancelled; all of `with` outlives it. Throws operation_aborted.
aio::awaitable<> watch_for_stalls(stall_means with);

} // namespace agentd::jobs
