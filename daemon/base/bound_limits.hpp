// What configuration and tool calls may set as bounds of commands, beside limits.hpp: few files
// need these. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace agentd::limits {

// Of a call; a shell cannot start with less.
inline constexpr std::int64_t least_memory = std::int64_t{1} << 20;
// The others are above anything there is, as good as no bound.
inline constexpr std::int64_t most_memory = std::int64_t{1} << 50;
inline constexpr std::int64_t most_processes = 4'000'000; // the kernel's own highest
inline constexpr std::int64_t most_written = std::int64_t{1} << 50;

// Sessions whose CPU time is summed in memory; more are forgotten and read again from the store.
inline constexpr std::size_t session_accounts = 10'000;

} // namespace agentd::limits
