#include "session/agent_loop.hpp"

#include "base/limits.hpp"

#include <fmt/format.h>

#include <cassert>
#include <utility>

namespace agentd::session {
namespace {

using proto::api::jobs_at_end;
using proto::api::task_state;

constexpr std::string_view go_on = "Please continue.";

std::vector<action> just(action one)
{
    std::vector<action> all;
    all.push_back(std::move(one));
    return all;
}

} // namespace

ending cancelled_by_user()
{
    return {task_state::cancelled, {}, {}, std::nullopt, {}};
}

ending failed_as(std::string type, std::string message)
{
    return {task_state::failed, std::move(type), std::move(message), std::nullopt, {}};
}

std::string note_about(const ending& how)
{
    const auto what =
        how.state == task_state::cancelled ? std::string{"cancelled"} : "failed: " + how.type;
    return "[agentd: this task was " + what + "; do not go on with it]";
}

std::vector<action> agent_loop::on(const event& what)
{
    // Once a task is over, what was still under way (a window, a late job) is no news.
    if (at_ == at::over)
        return {};
    return std::visit([this](const auto& e) { return react(e); }, what);
}

std::vector<action> agent_loop::react(const happened::begun& b)
{
    assert(at_ == at::fresh);
    spent_ = b.spent;
    if (b.paused)
        return ask({.nudge = {}, .continuation = true});
    cut_in_a_row_ = b.cut ? 1 : 0;
    nudged_empty_ = b.empty;
    if (b.cut || b.empty)
        return ask({.nudge = std::string{go_on}});
    return b.done ? done() : ask();
}

std::vector<action> agent_loop::ask(todo::ask how)
{
    if (!spent_.empty())
        return end(failed_as("budget", spent_));
    if (turns_ >= rules_.max_turns)
        return end(failed_as("max_turns", fmt::format("the task has taken {} turns", turns_)));
    at_ = at::asking;
    jobs_killed_ = false;
    return just(std::move(how));
}

std::vector<action> agent_loop::react(const happened::reply& r)
{
    assert(at_ == at::asking);
    ++turns_;
    spent_ = r.spent;
    if (r.refused)
        return end(failed_as("refusal", r.refusal.empty() ? "the model refused" : r.refusal));
    if (r.calls) {
        cut_in_a_row_ = paused_in_a_row_ = 0;
        at_ = at::running_tools;
        // Nobody would read the results of a last turn's calls: they are not run.
        const bool last = turns_ >= rules_.max_turns;
        return just(todo::run_tools{!spent_.empty() ? spent_ : last ? "max_turns is reached" : ""});
    }
    if (r.paused && paused_in_a_row_ < limits::pause_continuations) {
        ++paused_in_a_row_;
        return ask({.nudge = {}, .continuation = true});
    }
    if (r.cut && cut_in_a_row_ < limits::continuations) {
        ++cut_in_a_row_;
        return ask({.nudge = std::string{go_on}});
    }
    if (r.empty && !nudged_empty_) {
        nudged_empty_ = true;
        return ask({.nudge = std::string{go_on}});
    }
    return done();
}

std::vector<action> agent_loop::done()
{
    if (rules_.at_end != jobs_at_end::kill || jobs_killed_)
        return settle();
    at_ = at::killing;
    return just(todo::stop_jobs{});
}

std::vector<action> agent_loop::settle()
{
    at_ = at::settling;
    return just(todo::settle{});
}

std::vector<action> agent_loop::react(const happened::request_failed& f)
{
    assert(at_ == at::asking);
    return end(f.why);
}

std::vector<action> agent_loop::react(const happened::tools_done&)
{
    assert(at_ == at::running_tools);
    return ask();
}

std::vector<action> agent_loop::react(const happened::settled& s)
{
    assert(at_ == at::settling);
    switch (s.outcome) {
    case happened::settled::found::finished: at_ = at::over; return {};
    case happened::settled::found::news: return ask();
    case happened::settled::found::cancelled: return end(cancelled_by_user());
    case happened::settled::found::live_jobs: break;
    }
    at_ = at::waiting;
    return just(todo::wait{});
}

std::vector<action> agent_loop::react(const happened::job_ended& j)
{
    // While a request or tools run it only waits in the inbox; it is drained before the next.
    if (!j.own || (at_ != at::waiting && at_ != at::window))
        return {};
    if (j.own_live == 0)
        return wake();
    if (at_ == at::window)
        return {};
    at_ = at::window;
    return just(todo::open_window{});
}

// It does not end while nobody answers it: there is nothing to wait for.
std::vector<action> agent_loop::react(const happened::job_stalled& j)
{
    return j.own && is_waiting() ? wake() : std::vector<action>{};
}

std::vector<action> agent_loop::react(const happened::user_message&)
{
    return is_waiting() ? wake() : std::vector<action>{};
}

std::vector<action> agent_loop::react(const happened::window_over&)
{
    return at_ == at::window ? wake() : std::vector<action>{};
}

std::vector<action> agent_loop::wake()
{
    at_ = at::placing;
    return just(todo::take_place{});
}

std::vector<action> agent_loop::react(const happened::place_taken&)
{
    assert(at_ == at::placing);
    return ask();
}

std::vector<action> agent_loop::react(const happened::stop& s)
{
    switch (at_) {
    case at::asking:
    case at::running_tools:
    case at::placing:
        how_ = s.why;
        at_ = at::aborting;
        return just(todo::abort{});
    case at::killing: // its jobs are being stopped already
        how_ = s.why;
        at_ = at::stopping_jobs;
        return {};
    case at::fresh:
    case at::waiting:
    case at::window: return end(s.why);
    case at::settling: assert(false && "settling is one step"); break;
    case at::aborting:
    case at::stopping_jobs:
    case at::over: break; // the first reason stands
    }
    return {};
}

std::vector<action> agent_loop::react(const happened::aborted&)
{
    return at_ == at::aborting ? end(how_) : std::vector<action>{};
}

std::vector<action> agent_loop::end(ending how)
{
    how_ = std::move(how);
    const bool jobs_go_on =
        how_.state == task_state::failed && rules_.at_end == jobs_at_end::detach;
    if (jobs_go_on)
        return finish();
    at_ = at::stopping_jobs;
    return just(todo::stop_jobs{});
}

std::vector<action> agent_loop::react(const happened::jobs_stopped&)
{
    if (at_ == at::killing) {
        jobs_killed_ = true;
        return settle();
    }
    return at_ == at::stopping_jobs ? finish() : std::vector<action>{};
}

std::vector<action> agent_loop::finish()
{
    at_ = at::over;
    return just(todo::finish{how_});
}

} // namespace agentd::session
