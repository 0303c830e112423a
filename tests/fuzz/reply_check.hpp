// What holds for every reply that came out of whatever bytes. Any thread.
#pragma once

#include "proto/messages/reply.hpp"

#include <cstddef>
#include <string>

namespace agentd::fuzz {

// Ends the run unless the blocks can be echoed and what may be run is what was sent; `received`
// is how many bytes the reply came from.
void check_reply(const proto::messages::reply& made, std::size_t received);

// All of the reply as text, to compare two by.
[[nodiscard]] std::string describe(const proto::messages::reply& made);

} // namespace agentd::fuzz
