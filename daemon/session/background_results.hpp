// How the model is told of jobs that have ended: one <background-results> element for all of
// them, in order of completion (DESIGN §5). Output is quoted line by line, so that nothing a
// command prints can close the element or begin an entry. Pure; any thread.
#pragma once

#include "proto/api/types.hpp"

#include <span>
#include <string>

namespace agentd::session {

// One ended job with the pieces of its output that are quoted.
struct ended_job {
    proto::api::job job;
    // The first and last bytes written, as raw as they came; `tail` is empty when `head` is
    // everything that was written.
    std::string head, tail;
};

// "completed: exit 0", "killed by user", "lost: REASON", ...: how a job ended.
[[nodiscard]] std::string describe_end(const proto::api::job& job);

// The whole element; `ended` is not empty. Bounded by limits::notice_element_chars: entries
// that would go beyond are one line each.
[[nodiscard]] std::string background_results(std::span<const ended_job> ended);

} // namespace agentd::session
