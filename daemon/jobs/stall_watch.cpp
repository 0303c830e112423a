#include "jobs/stall_watch.hpp"

#include <algorithm>
#include <utility>

namespace agentd::jobs {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr int steps_in_limit = 4;
constexpr int longest_pause = 8; // limits, between looks at what is silent and works

// The clock of CPU times has steps of 10 ms; a program that waits may wake now and then.
milliseconds idle_use(milliseconds span)
{
    return std::max<milliseconds>(25ms, span / 10);
}

} // namespace

stall_watch::stall_watch(milliseconds limit, time_point now)
    : limit_(limit),
      step_(std::max<milliseconds>(limit / steps_in_limit, 1ms)),
      quiet_since_(now),
      look_at_(now + limit - step_),
      pause_(limit)
{}

bool stall_watch::saw(time_point now, std::uint64_t bytes)
{
    if (bytes == bytes_)
        return true;
    bytes_ = bytes;
    quiet_since_ = now;
    look_at_ = now + limit_ - step_; // the first of two
    pause_ = limit_;
    first_.reset();
    stalls_ = false;
    return false;
}

bool stall_watch::due(time_point now) const
{
    return !stalls_ && now >= look_at_;
}

bool stall_watch::looked(time_point now, const look& found)
{
    if (!found.waits) {
        first_.reset();
        look_at_ = now + pause_;
        pause_ = std::min(pause_ * 2, limit_ * longest_pause);
        return false;
    }
    const auto before = std::exchange(first_, sample{now, found.cpu});
    look_at_ = now + step_;
    if (!before || silent(now) < limit_)
        return false;
    const auto span = std::chrono::duration_cast<milliseconds>(now - before->when);
    if (found.cpu - before->cpu > idle_use(span))
        return false;
    stalls_ = true;
    return true;
}

milliseconds stall_watch::silent(time_point now) const
{
    return std::chrono::duration_cast<milliseconds>(now - quiet_since_);
}

} // namespace agentd::jobs
