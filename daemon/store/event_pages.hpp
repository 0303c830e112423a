// Between the two chapters of events.hpp: events.cpp and event_pages.cpp.
#pragma once

#include "store/events.hpp"

#include <string_view>

namespace agentd::store::events {

// The type has entries in the index of rare types.
[[nodiscard]] bool is_rare(std::string_view type);
[[nodiscard]] bool is_of_type(const filter& which, std::string_view type);

} // namespace agentd::store::events
