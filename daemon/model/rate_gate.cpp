#include "model/rate_gate.hpp"

#include "base/limits.hpp"

#include <algorithm>

namespace agentd::model {
namespace {

std::chrono::milliseconds between(base::mono_time from, base::mono_time to)
{
    return std::max(
        std::chrono::ceil<std::chrono::milliseconds>(to - from), std::chrono::milliseconds{0});
}

} // namespace

void rate_gate::hold(base::mono_time until, base::mono_time latest)
{
    if (until > latest)
        must_probe_ = true;
    open_at_ = std::max(open_at_, std::min(until, latest));
    next_at_ = std::max(next_at_, open_at_);
    probe_until_ = {}; // if one was under way, this is its answer
}

void rate_gate::close_until(base::mono_time until, base::mono_time now)
{
    hold(until, now + limits::rate_hold_longest);
}

void rate_gate::spent_until(base::mono_time reset, base::mono_time now)
{
    if (reset > now)
        hold(reset, now + limits::rate_reset_longest);
}

std::chrono::milliseconds rate_gate::line_up(base::mono_time now, double random)
{
    const auto place = std::max({next_at_, open_at_, now});
    // Half a step to one and a half: as a whole the line keeps its pace.
    const auto step = limits::rate_gate_spacing * (0.5 + random);
    next_at_ = place + std::chrono::duration_cast<base::mono_time::duration>(step);
    return between(now, place);
}

rate_gate::entry rate_gate::enter(base::mono_time now, double random)
{
    entry out;
    if (now >= open_at_ && must_probe_) {
        if (now >= probe_until_) {
            probe_until_ = now + limits::rate_probe_patience;
            out.is_probe = true;
            return out;
        }
        next_at_ = std::max(next_at_, now + limits::rate_probe_recheck);
        out.wait = line_up(now, random);
        return out;
    }
    if (now < open_at_)
        out.wait = line_up(now, random);
    return out;
}

void rate_gate::probe_ended(bool passed)
{
    probe_until_ = {};
    if (passed)
        must_probe_ = false;
}

bool rate_gate::is_idle(base::mono_time now) const
{
    return !must_probe_ && now >= open_at_ && now >= next_at_;
}

} // namespace agentd::model
