// One view of an origin's limits for all sessions: when the server asked one of them to wait,
// the others do not have to find out, and they do not come back together.
// Pure; on the origin's strand only.
#pragma once

#include "base/clock.hpp"

#include <chrono>

namespace agentd::model {

class rate_gate {
public:
    // A reply asked to wait until `until`.
    void close_until(base::mono_time until);

    // How long a request that wants to be sent now has to wait; it has a place in the line
    // then and comes through when it asks again with `waited`. Nobody else's place changes.
    [[nodiscard]] std::chrono::milliseconds enter(base::mono_time now, bool waited);

private:
    base::mono_time open_at_{}; // nothing goes before
    base::mono_time next_at_{}; // the next place in the line of those who wait
};

} // namespace agentd::model
