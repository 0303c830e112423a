#include "jobs/stall_watch.hpp"

#include "base/stdin_limits.hpp"

#include <algorithm>
#include <utility>

namespace agentd::jobs {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

// A program that waits may wake now and then.
milliseconds idle_use(milliseconds span)
{
    return std::max(limits::stall_idle_use, span / 10);
}

} // namespace

stall_watch::stall_watch(milliseconds limit, time_point now)
    : limit_(limit),
      step_(std::max<milliseconds>(limit / limits::stall_steps, 1ms)),
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
        pause_ = std::min(pause_ * 2, limit_ * limits::stall_pause);
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
