// One client's connection: requests in, answers out, until either side is done. Runs on a
// strand of its own.
#pragma once

#include "api/context.hpp"
#include "api/peer.hpp"
#include "base/unique_fd.hpp"

namespace agentd::api {

// Serves `connected` until its end. `all` outlives it; `place` is given back at the end.
aio::awaitable<> serve(context& all, base::unique_fd connected, peer who, census::seat place);

// Says that there are too many connections, and closes.
aio::awaitable<> turn_away(context& all, base::unique_fd connected, census::seat place);

// The bytes of that answer, for when there is no place even to wait for the client to read it.
[[nodiscard]] std::string turned_away_text();

} // namespace agentd::api
