// The bounds of sessions that leave and come back as JSON Lines, each with the reason for its
// size. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace agentd::limits {

// It becomes one transaction, for which all others wait: some tenths of a second.
inline constexpr std::size_t import_bytes = 64U << 20;
inline constexpr std::size_t import_line_bytes = 16U << 20;  // far above any message
inline constexpr std::size_t import_piece_bytes = 64U << 10; // handed on at once
inline constexpr std::size_t export_messages = 16;           // read at once: they may be large
inline constexpr std::int64_t import_epochs = 100'000;
inline constexpr std::int64_t import_messages = 1'000'000; // no more fit into its bytes

} // namespace agentd::limits
