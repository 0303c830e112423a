// How the job tools speak of a job. Pure; any thread.
#pragma once

#include "base/ids.hpp"
#include "tools/job_control.hpp"
#include "tools/tool.hpp"

#include <string>
#include <string_view>

namespace agentd::tools {

// Its first 80 characters as one line.
[[nodiscard]] std::string shown_command(std::string_view command);

// "[completed] pytest -x"
[[nodiscard]] std::string job_heading(const job_view& job);
// "exit 1 after 12.4 s; 18233 bytes of output", "running for 2.0 s; ...", "queued", ...
[[nodiscard]] std::string job_status(const job_view& job);
// "1f3a9c02: [completed] pytest -x (exit 1 after 12.4 s; 18233 bytes of output)"
[[nodiscard]] std::string job_line(const job_view& job);
// "Error: REASON" of what could not be started or was lost; else empty.
[[nodiscard]] std::string job_error(const job_view& job);

// The answer for an id that is none of the session's.
[[nodiscard]] answer unknown_task(std::string_view id);

} // namespace agentd::tools
