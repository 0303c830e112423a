// What the daemon sets for its whole process before anything else happens. Main thread, first.
#pragma once

#include "base/error.hpp"

#include <cstdint>

namespace agentd::app {

struct process_setup {
    std::uint64_t soft_descriptors = 0; // the limit we were started with: commands get it back
};

// umask 0077, not dumpable (no core, no /proc/PID/environ or mem for others of our uid),
// SIGPIPE ignored, the soft descriptor limit raised to the hard one, OpenSSL left as it is at
// exit.
[[nodiscard]] base::result<process_setup> prepare_process();

} // namespace agentd::app
