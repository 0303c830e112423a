#include "model/rate_gate.hpp"

#include "base/limits.hpp"

#include <algorithm>

namespace agentd::model {
namespace {

std::chrono::milliseconds between(base::mono_time from, base::mono_time to)
{
    return std::chrono::ceil<std::chrono::milliseconds>(to - from);
}

} // namespace

void rate_gate::close_until(base::mono_time until)
{
    open_at_ = std::max(open_at_, until);
    next_at_ = std::max(next_at_, open_at_);
}

std::chrono::milliseconds rate_gate::enter(base::mono_time now, bool waited)
{
    // Closed: into the line. Open, but a line is still coming through: behind it, unless this
    // is one of its own.
    const bool closed = now < open_at_;
    const bool line = now < next_at_;
    if (!closed && (waited || !line))
        return std::chrono::milliseconds{0};
    const auto place = std::max(next_at_, open_at_);
    next_at_ = place + limits::rate_gate_spacing;
    return between(now, place);
}

} // namespace agentd::model
