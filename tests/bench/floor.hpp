// What the figures of the benchmarks are held against, measured in the same run: what this
// machine needs for the bare thing. And how figures are summed up.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

namespace agentd::bench {

using clock_type = std::chrono::steady_clock;
using micros = std::chrono::duration<double, std::micro>;

// Starts `sh -c true` and waits for its end.
[[nodiscard]] micros spawn_and_wait();

// A connection to itself over the loopback: a thread at the other end answers `request` bytes
// with `reply` bytes.
class loopback {
public:
    loopback(std::size_t request, std::size_t reply);
    ~loopback();
    loopback(const loopback&) = delete;
    loopback& operator=(const loopback&) = delete;

    // There and back.
    [[nodiscard]] micros round_trip();

private:
    struct state;
    std::unique_ptr<state> state_;
};

// The value below which that share lies (0.5: the median); 0 of nothing. Sorts.
[[nodiscard]] double share(std::vector<double>& values, double part);

} // namespace agentd::bench
