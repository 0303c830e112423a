// A step of the start that may take long: one that did is logged, so that a late start can be put
// down to it.
// Any thread; after the log is open.
#pragma once

#include "base/clock.hpp"

#include <string>
#include <utility>

namespace agentd::base {

class slow_step {
public:
    // `what` as the beginning of a sentence: "waiting for the lock of the state folder".
    explicit slow_step(std::string what) : what_(std::move(what)), began_(mono_now()) {}
    // Logs it if it took limits::slow_start_step or more.
    ~slow_step();
    slow_step(const slow_step&) = delete;
    slow_step& operator=(const slow_step&) = delete;

private:
    const std::string what_;
    const mono_time began_;
};

} // namespace agentd::base
