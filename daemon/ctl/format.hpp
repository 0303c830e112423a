// Figures as people read them. Pure; any thread.
#pragma once

#include "base/clock.hpp"
#include "proto/json/reader.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace agentd::ctl {

// "350ms", "12.4s", "3m05s", "2h10m", "4d03h".
[[nodiscard]] std::string short_duration(std::int64_t ms);
// "12s", "5m", "3h", "4d": how long ago.
[[nodiscard]] std::string short_age(base::wall_time then, base::wall_time now);
// "812", "18.2K", "4.0G".
[[nodiscard]] std::string short_bytes(std::uint64_t bytes);
// "$0.0042"; "-" for nothing.
[[nodiscard]] std::string short_cost(double usd);

// One event as one line: clock time, ids, type, and what its type has as name=value. The text
// of model.text follows on lines of its own. Not yet harmless for a terminal.
[[nodiscard]] std::string event_text(const proto::json::value& event);

// A scalar as text without quotes, anything else as JSON.
[[nodiscard]] std::string plain_text(const proto::json::value& value);

} // namespace agentd::ctl
