// One view of the limits of one model at an origin, for all sessions: when the server asked one
// of them to wait, the others do not have to find out, and they do not come back together.
//
// Closed: nobody goes. Then those who waited go one after another, the line. Who comes once it is
// open goes at once: behind the line he would lengthen it for the next, and at more requests a
// second than the line lets through it would never end. What a server asks of one request holds
// the others for a bounded time only: after it one of them is the probe, and the rest wait for
// what comes of it.
// Pure; on the origin's strand only.
#pragma once

#include "base/clock.hpp"

#include <chrono>

namespace agentd::model {

class rate_gate {
public:
    // A reply asked to wait until `until`. Holds for limits::rate_hold_longest at most.
    void close_until(base::mono_time until, base::mono_time now);
    // A reply said that nothing is left, and that all is there again at `reset`. What a token
    // bucket has then it has in part before: holds for limits::rate_reset_longest at most.
    void spent_until(base::mono_time reset, base::mono_time now);

    // A place in the line, for one that has to come back: how long until then. `random` in
    // [0, 1) is the jitter's.
    [[nodiscard]] std::chrono::milliseconds line_up(base::mono_time now, double random);

    struct entry {
        std::chrono::milliseconds wait{0}; // 0: go
        bool is_probe = false;             // tell what came of it: probe_ended
    };
    // How long a request that wants to be sent now has to wait until it asks again; that is its
    // place in the line. Nobody else's place changes.
    [[nodiscard]] entry enter(base::mono_time now, double random);
    // `passed`: the server took it. Else the next one is the probe.
    void probe_ended(bool passed);

    // Nobody waits and nothing holds: it can be forgotten.
    [[nodiscard]] bool is_idle(base::mono_time now) const;

private:
    void hold(base::mono_time until, base::mono_time latest);

    base::mono_time open_at_{};     // nothing goes before
    base::mono_time next_at_{};     // the next place in the line of those who wait
    bool must_probe_ = false;       // it was opened before the server's own time
    base::mono_time probe_until_{}; // one is under way; beyond this it is given up
};

} // namespace agentd::model
