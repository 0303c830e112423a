// The answer that tells how a foreground command ended. Pure; any thread.
#pragma once

#include "jobs/command.hpp"
#include "tools/tool.hpp"

#include <chrono>
#include <string>

namespace agentd::tools {

// What it printed, then a line for each thing to know: leftovers, signal or exit code. A
// timeout, a stop from elsewhere and a command that could not be started are errors.
[[nodiscard]] answer command_answer(const jobs::outcome& end, std::chrono::seconds limit);

// "SEGV"; for a number without a name the number.
[[nodiscard]] std::string signal_name(int number);

} // namespace agentd::tools
