// What configuration and tool calls may set as bounds of commands, beside limits.hpp: few files
// need these. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace agentd::limits {

using namespace std::chrono_literals;

// Of a call; a shell cannot start with less.
inline constexpr std::int64_t least_memory = std::int64_t{1} << 20;
// The others are above anything there is, as good as no bound.
inline constexpr std::int64_t most_memory = std::int64_t{1} << 50;
inline constexpr std::int64_t most_processes = 4'000'000; // the kernel's own highest
inline constexpr std::int64_t most_written = std::int64_t{1} << 50;

// Sessions whose use is summed in memory; of more the idle ones are forgotten and read again from
// the store.
inline constexpr std::size_t session_accounts = 10'000;

// Between two looks at what a command has used. Nearly used up, it may wait for ever; and looking
// must not cost more than what is looked at: this part of the time at the most.
inline constexpr std::chrono::milliseconds use_check_least = 100ms;
inline constexpr std::chrono::milliseconds use_check_most = 1s;
inline constexpr int use_check_part = 10;
// Between two looks at a tree that cannot be watched.
inline constexpr std::chrono::milliseconds unwatched_pause = 500ms;

} // namespace agentd::limits
