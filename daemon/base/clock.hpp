// Two kinds of time that are never mixed: the wall clock for what is shown and stored,
// the monotonic clock for durations and deadlines. Any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace agentd::base {

// Wall-clock time with ms; what events and objects carry.
using wall_time = std::chrono::sys_time<std::chrono::milliseconds>;
// Monotonic time; what durations are measured with.
using mono_time = std::chrono::steady_clock::time_point;

[[nodiscard]] wall_time wall_now();
[[nodiscard]] mono_time mono_now();

// Whole milliseconds from `since` to now, never negative.
[[nodiscard]] std::chrono::milliseconds elapsed_since(mono_time since);

// RFC 3339 in UTC with ms, "2026-11-20T07:37:09.123Z", and back (an offset is understood).
[[nodiscard]] std::string to_rfc3339(wall_time time);
[[nodiscard]] std::optional<wall_time> from_rfc3339(std::string_view text);

} // namespace agentd::base
