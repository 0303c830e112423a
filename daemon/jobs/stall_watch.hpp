// Whether a running job stalls: it has been silent for long, and as far as can be seen (see
// readers.hpp) all that it does is wait for input. Pure decisions, no clock and no process of its
// own; watch_for_stalls() obeys.
//
// Cases: it prints or gets input: all begins anew. It is silent and computes, sleeps, or waits
// for something else: it is looked at again, ever later. It waits for input at one look: a second
// one, a little later, has to find the same, with hardly any CPU time used between them. Then it
// stalls: that is told once, and again only after it has shown life.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace agentd::jobs {

class stall_watch {
public:
    using time_point = std::chrono::steady_clock::time_point;

    // `limit`: this long it has to be silent.
    stall_watch(std::chrono::milliseconds limit, time_point now);

    // What a look at its processes has found.
    struct look {
        bool waits = false;               // some wait for input, and nobody works
        std::chrono::milliseconds cpu{0}; // that all of them have used
    };

    // Bytes that it has printed and been given so far. False: it shows life.
    bool saw(time_point now, std::uint64_t bytes);
    [[nodiscard]] bool due(time_point now) const; // a look
    // True: it stalls, which is to be told now.
    bool looked(time_point now, const look& found);

    [[nodiscard]] bool stalls() const { return stalls_; }
    // Silent so long.
    [[nodiscard]] std::chrono::milliseconds silent(time_point now) const;
    // When saw() is to be called again.
    [[nodiscard]] time_point next(time_point now) const { return now + step_; }

private:
    const std::chrono::milliseconds limit_;
    const std::chrono::milliseconds step_;
    std::uint64_t bytes_ = 0;
    time_point quiet_since_;
    time_point look_at_;
    std::chrono::milliseconds pause_; // until a look after one that has found other work
    struct sample {
        time_point when;
        std::chrono::milliseconds cpu;
    };
    std::optional<sample> first_; // the look that has to be confirmed
    bool stalls_ = false;
};

} // namespace agentd::jobs
