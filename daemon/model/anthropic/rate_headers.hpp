// What a reply's anthropic-ratelimit-* headers say of what is left (wire reference §4.4). Pure;
// any thread.
#pragma once

#include "base/clock.hpp"
#include "model/exchange.hpp"

#include <chrono>
#include <optional>

namespace agentd::model::anthropic {

// How long until the limits of which nothing is left are whole again, the longest of them;
// nothing where something is left of each, or the headers are absent or unreadable. Counted
// from the reply's own date where it has one: the two clocks may differ.
[[nodiscard]] std::optional<std::chrono::milliseconds> spent_for(
    const reply_head& head, base::wall_time now);

} // namespace agentd::model::anthropic
