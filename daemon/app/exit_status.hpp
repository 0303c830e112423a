// What agentd's exit status says of a start that failed (agentd(8), EXIT STATUS). Pure; any thread.
#pragma once

#include "base/error.hpp"

namespace agentd::app {

inline constexpr int exit_failure = 1; // it should start, or stop, and could not
inline constexpr int exit_usage = 2;   // options or configuration have to be changed
inline constexpr int exit_newer = 3;   // the state was written by a newer version
inline constexpr int exit_damaged = 4; // the database is damaged

[[nodiscard]] int exit_status_of(const base::error& why);

} // namespace agentd::app
