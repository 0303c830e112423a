// How the model is told of jobs that have ended or wait for input: one <background-results>
// element for all of them, in order of what happened (DESIGN §5). Output is quoted line by line,
// so that nothing a command prints can close the element or begin an entry. Pure; any thread.
#pragma once

#include "proto/api/types.hpp"

#include <chrono>
#include <span>
#include <string>
#include <string_view>

namespace agentd::session {

// What is to be told of one job: its end, with the pieces of its output that are quoted, or that
// it stalls.
struct job_news {
    proto::api::job job;
    // The first and last bytes written, as raw as they came; `tail` is empty when `head` is
    // everything that was written.
    std::string head, tail;
    std::string stalled = {}; // the whole entry (stall_entry()) of a job that has not ended
};

// "completed: exit 0", "killed by user", "lost: REASON", ...: how a job ended.
[[nodiscard]] std::string describe_end(const proto::api::job& job);

// The entry of a job that is silent for so long and waits for input; `last` is the end of its
// output, as raw as it came.
[[nodiscard]] std::string stall_entry(
    const proto::api::job& job, std::chrono::milliseconds silent, std::string_view last);

// The whole element; `all` is not empty. Bounded by limits::notice_element_chars: entries
// that would go beyond are one line each.
[[nodiscard]] std::string background_results(std::span<const job_news> all);

} // namespace agentd::session
