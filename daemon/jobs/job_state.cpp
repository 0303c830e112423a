#include "jobs/job_state.hpp"

#include "base/limits.hpp"

#include <algorithm>

namespace agentd::jobs {

job_state::job_state(settings with, time_point started)
    : with_(with),
      deadline_(with.timeout.count() > 0 ? started + with.timeout : time_point::max()),
      grace_end_(time_point::max()),
      ended_at_(started)
{}

void job_state::shell_exited(time_point now)
{
    if (exited_)
        return;
    exited_ = true;
    ended_at_ = now;
}

void job_state::stop(stopped_by who)
{
    if (!asked_)
        asked_ = who;
}

void job_state::abort(time_point now)
{
    if (aborted_)
        return;
    aborted_ = true;
    give_up_at_ = now + limits::kill_patience;
}

void job_state::bound_met()
{
    bound_met_ = true;
}

void job_state::saw(std::size_t living)
{
    seen_ = living;
}

job_state::step job_state::next(time_point now)
{
    switch (at_) {
    case at::running: return while_running(now);
    case at::ending: return while_ending(now);
    case at::killing: return while_killing(now);
    }
    return step::finish;
}

job_state::step job_state::while_running(time_point now)
{
    const bool timed_out = bound_met_ || now >= deadline_;
    if (!exited_ && !asked_ && !aborted_ && !timed_out)
        return wait_until(deadline_);
    if (!seen_)
        return step::look;
    if (gone()) {
        if (with_.keep_leftovers)
            ended_at_ = now;
        return step::finish;
    }
    if (exited_ && !with_.keep_leftovers) {
        leftovers_ = *seen_;
    } else if (asked_) {
        how_ = ended::killed;
        by_ = asked_;
    } else if (timed_out) {
        how_ = ended::timeout;
        over_bound_ = bound_met_;
    } else if (!aborted_) {
        return wait_until(deadline_); // for what is kept
    }
    return aborted_ ? begin_killing(now) : begin_ending(now);
}

job_state::step job_state::while_ending(time_point now)
{
    if (exited_ && !seen_)
        return step::look;
    if (gone())
        return step::finish;
    if (aborted_ || now >= grace_end_)
        return begin_killing(now);
    return wait_until(grace_end_);
}

job_state::step job_state::while_killing(time_point now)
{
    if (!seen_)
        return step::look;
    if (gone())
        return step::finish;
    if (now >= give_up_at_) {
        gave_up_ = true;
        return step::give_up;
    }
    if (now < kill_at_)
        return wait_until(kill_at_);
    kill_at_ = now + limits::kill_round;
    seen_.reset();
    return step::kill;
}

job_state::step job_state::begin_ending(time_point now)
{
    at_ = at::ending;
    grace_end_ = now + with_.grace;
    seen_.reset();
    return step::terminate;
}

job_state::step job_state::begin_killing(time_point now)
{
    at_ = at::killing;
    kill_at_ = now;
    // What even KILL leaves (a process stuck in the kernel) must not keep everybody waiting.
    give_up_at_ = std::min(give_up_at_, now + limits::kill_patience);
    return while_killing(now);
}

job_state::step job_state::wait_until(time_point when)
{
    wake_at_ = when;
    seen_.reset();
    return step::wait;
}

} // namespace agentd::jobs
