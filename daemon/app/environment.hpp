// The process's environment as the daemon's start reads it; tests pass their own.
// Before any thread is started.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace agentd::app {

// A variable's value; an empty one counts as unset.
using environment = std::function<std::optional<std::string>(const std::string&)>;

[[nodiscard]] environment process_environment();

// Takes every ANTHROPIC_* variable out of the process's environment, its bytes overwritten, so
// that neither a child nor /proc/PID/environ has it.
void scrub_environment();

} // namespace agentd::app
