// What has to hold after any number of kills, judged from outside: from the API of a daemon
// that is at rest, from what the model was sent, and from the list of processes.
#pragma once

#include "tests/support/harness/world.hpp"
#include "tests/system/crash_load.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace agentd::testing {

// How much was judged, and what is wrong with it.
struct crash_verdict {
    std::size_t tasks = 0, jobs = 0, lost_jobs = 0, notifications = 0, messages = 0, events = 0;
    std::size_t kept_by_key = 0;
    std::vector<std::string> problems;
};

// Waits until every task has ended, then compares. Every call was answered before.
[[nodiscard]] crash_verdict judge(world& w, promises& all);

// The processes that have CRASH_MARK=`mark` in their environment: pid and command line.
[[nodiscard]] std::vector<std::string> processes_marked(const std::string& mark);

} // namespace agentd::testing
