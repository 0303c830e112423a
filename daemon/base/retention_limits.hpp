// The bounds of removing what is not kept any more (store/retention.hpp), each with the reason
// for its size. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace agentd::limits {

using namespace std::chrono_literals;

inline constexpr std::size_t purge_events = 500; // in one transaction: some ms
inline constexpr std::size_t purge_keys = 500;
inline constexpr std::size_t purge_ids = 500;
inline constexpr std::int64_t purge_pages = 256;      // given back in one transaction: 1 MiB
inline constexpr std::int64_t free_pages_kept = 4096; // 16 MiB that the next rows use again
inline constexpr std::chrono::milliseconds purge_pause = 5ms; // between two transactions
inline constexpr auto purge_every = 10min;

} // namespace agentd::limits
