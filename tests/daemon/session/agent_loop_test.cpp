#include "session/agent_loop.hpp"

#include <doctest/doctest.h>

using namespace agentd::session;
using agentd::proto::api::jobs_at_end;
using agentd::proto::api::task_state;

namespace {

// A loop in the state that the helpers below bring it to.
agent_loop fresh(jobs_at_end at_end = jobs_at_end::wait, std::int64_t max_turns = 200)
{
    return agent_loop{{at_end, max_turns, 0}};
}

agent_loop asking(jobs_at_end at_end = jobs_at_end::wait, std::int64_t max_turns = 200)
{
    auto loop = fresh(at_end, max_turns);
    static_cast<void>(loop.on(happened::begun{}));
    return loop;
}

happened::reply calls_tools()
{
    happened::reply r;
    r.calls = true;
    return r;
}

agent_loop running_tools()
{
    auto loop = asking();
    static_cast<void>(loop.on(calls_tools()));
    return loop;
}

agent_loop settling(jobs_at_end at_end = jobs_at_end::wait)
{
    auto loop = asking(at_end);
    static_cast<void>(loop.on(happened::reply{}));
    return loop;
}

agent_loop waiting()
{
    auto loop = settling();
    static_cast<void>(loop.on(happened::settled{happened::settled::found::live_jobs}));
    return loop;
}

happened::stop cancel()
{
    return {{task_state::cancelled, {}, {}, std::nullopt, {}}};
}

// The only action of `actions`, which is of that kind.
template <class T>
T only(const std::vector<action>& actions)
{
    REQUIRE(actions.size() == 1);
    REQUIRE(std::holds_alternative<T>(actions.front()));
    return std::get<T>(actions.front());
}

happened::job_ended own_end(std::int64_t left)
{
    return {true, left};
}

} // namespace

TEST_CASE("agent_loop: a task begins with a request")
{
    auto loop = fresh();
    CHECK(only<todo::ask>(loop.on(happened::begun{})).nudge.empty());
    CHECK(loop.is_asking());
}

TEST_CASE("agent_loop: calls are run, and their results asked about")
{
    auto loop = asking();
    CHECK(only<todo::run_tools>(loop.on(calls_tools())).refuse.empty());
    only<todo::ask>(loop.on(happened::tools_done{}));
}

TEST_CASE("agent_loop: a job that ends while the model is answering waits in the inbox")
{
    auto loop = asking();
    CHECK(loop.on(own_end(0)).empty());
    CHECK(loop.on(happened::user_message{}).empty());
    only<todo::settle>(loop.on(happened::reply{}));
    only<todo::ask>(loop.on(happened::settled{happened::settled::found::news}));
}

TEST_CASE("agent_loop: the end is what the store found")
{
    auto loop = settling();
    CHECK(loop.on(happened::settled{happened::settled::found::finished}).empty());
    CHECK(loop.is_over());
}

TEST_CASE("agent_loop: a cancel that the store knew of before the end is the end")
{
    auto loop = settling();
    only<todo::stop_jobs>(loop.on(happened::settled{happened::settled::found::cancelled}));
    CHECK(loop.on(cancel()).empty()); // the request itself comes late, and is no news
    const auto end = only<todo::finish>(loop.on(happened::jobs_stopped{}));
    CHECK(end.how.state == task_state::cancelled);
}

TEST_CASE("agent_loop: with live jobs it waits at no cost and wakes at the last end at once")
{
    auto loop = settling();
    only<todo::wait>(loop.on(happened::settled{happened::settled::found::live_jobs}));
    CHECK(loop.is_waiting());
    only<todo::take_place>(loop.on(own_end(0)));
    only<todo::ask>(loop.on(happened::place_taken{}));
}

TEST_CASE("agent_loop: ends close together come in one request")
{
    auto loop = waiting();
    only<todo::open_window>(loop.on(own_end(2)));
    CHECK(loop.on(own_end(1)).empty());
    only<todo::take_place>(loop.on(happened::window_over{}));
    CHECK(loop.on(own_end(0)).empty()); // it joins the request that is about to be made
    only<todo::ask>(loop.on(happened::place_taken{}));
}

TEST_CASE("agent_loop: the last end closes the window at once, and its timer is no news")
{
    auto loop = waiting();
    only<todo::open_window>(loop.on(own_end(1)));
    only<todo::take_place>(loop.on(own_end(0)));
    CHECK(loop.on(happened::window_over{}).empty());
}

TEST_CASE("agent_loop: ends of detached jobs wake nobody, a user's message does")
{
    auto loop = waiting();
    CHECK(loop.on(happened::job_ended{false, 1}).empty());
    only<todo::take_place>(loop.on(happened::user_message{}));
}

TEST_CASE("agent_loop: a job of the task that stalls wakes it at once, another's does not")
{
    auto loop = waiting();
    CHECK(loop.on(happened::job_stalled{false}).empty());
    only<todo::take_place>(loop.on(happened::job_stalled{true}));
    auto window = waiting();
    only<todo::open_window>(window.on(own_end(1)));
    only<todo::take_place>(window.on(happened::job_stalled{true}));
    CHECK(window.on(happened::window_over{}).empty());
    auto busy = asking();
    CHECK(busy.on(happened::job_stalled{true}).empty()); // told with the next request
}

TEST_CASE("agent_loop: jobs_at_end = kill stops the jobs before it settles, once")
{
    auto loop = asking(jobs_at_end::kill);
    only<todo::stop_jobs>(loop.on(happened::reply{}));
    only<todo::settle>(loop.on(happened::jobs_stopped{}));
    only<todo::ask>(loop.on(happened::settled{happened::settled::found::news}));
    only<todo::stop_jobs>(loop.on(happened::reply{})); // the new request may have started others
}

TEST_CASE("agent_loop: max_turns answers the last calls without running them, then fails")
{
    auto loop = asking(jobs_at_end::wait, 1);
    CHECK_FALSE(only<todo::run_tools>(loop.on(calls_tools())).refuse.empty());
    only<todo::stop_jobs>(loop.on(happened::tools_done{}));
    const auto end = only<todo::finish>(loop.on(happened::jobs_stopped{})).how;
    CHECK(end.state == task_state::failed);
    CHECK(end.type == "max_turns");
}

TEST_CASE("agent_loop: turns before a restart count")
{
    agent_loop loop{{jobs_at_end::wait, 3, 3}};
    only<todo::stop_jobs>(loop.on(happened::begun{}));
}

TEST_CASE("agent_loop: a spent budget ends the task, but not one that is done anyway")
{
    auto spent = calls_tools();
    spent.spent = "1000 tokens are used of max_tokens_total 900";
    auto loop = asking();
    CHECK(only<todo::run_tools>(loop.on(spent)).refuse == spent.spent);
    only<todo::stop_jobs>(loop.on(happened::tools_done{}));
    CHECK(only<todo::finish>(loop.on(happened::jobs_stopped{})).how.type == "budget");

    auto done = asking();
    happened::reply last;
    last.spent = spent.spent;
    only<todo::settle>(done.on(last));
    CHECK(done.on(happened::settled{}).empty());
    CHECK(done.is_over());
}

TEST_CASE("agent_loop: a text cut by max_tokens is continued three times in a row")
{
    auto loop = asking();
    happened::reply cut;
    cut.cut = true;
    for (int i = 0; i < 3; ++i)
        CHECK(only<todo::ask>(loop.on(cut)).nudge == "Please continue.");
    only<todo::settle>(loop.on(cut));
}

TEST_CASE("agent_loop: an empty reply is asked about once")
{
    auto loop = asking();
    happened::reply empty;
    empty.empty = true;
    CHECK_FALSE(only<todo::ask>(loop.on(empty)).nudge.empty());
    only<todo::settle>(loop.on(empty));
}

TEST_CASE("agent_loop: a paused reply is continued with nothing added, at most five times")
{
    auto loop = asking();
    happened::reply paused;
    paused.paused = true;
    for (int i = 0; i < 5; ++i)
        CHECK(only<todo::ask>(loop.on(paused)).continuation);
    only<todo::settle>(loop.on(paused));
}

TEST_CASE("agent_loop: a refusal and a failed request end the task after its jobs")
{
    auto refused = asking();
    happened::reply no;
    no.refused = true;
    only<todo::stop_jobs>(refused.on(no));
    CHECK(only<todo::finish>(refused.on(happened::jobs_stopped{})).how.type == "refusal");

    auto failed = asking();
    happened::request_failed f{{task_state::failed, "model_error", "overloaded", 529, "req_1"}};
    only<todo::stop_jobs>(failed.on(f));
    const auto end = only<todo::finish>(failed.on(happened::jobs_stopped{})).how;
    CHECK(end.type == "model_error");
    CHECK(end.status == 529);
}

TEST_CASE("agent_loop: a failed task with jobs_at_end = detach leaves its jobs alone")
{
    auto loop = asking(jobs_at_end::detach);
    happened::request_failed f{{task_state::failed, "model_error", "x", std::nullopt, {}}};
    only<todo::finish>(loop.on(f));
    CHECK(loop.is_over());
}

TEST_CASE("agent_loop: cancel aborts what runs, stops the jobs, then ends - in every state")
{
    const auto ends_cancelled = [](agent_loop loop, bool something_runs) {
        if (something_runs) {
            only<todo::abort>(loop.on(cancel()));
            only<todo::stop_jobs>(loop.on(happened::aborted{}));
        } else {
            only<todo::stop_jobs>(loop.on(cancel()));
        }
        CHECK(only<todo::finish>(loop.on(happened::jobs_stopped{})).how.state ==
            task_state::cancelled);
        CHECK(loop.is_over());
    };
    ends_cancelled(fresh(), false);
    ends_cancelled(asking(), true);
    ends_cancelled(running_tools(), true);
    ends_cancelled(waiting(), false);
    auto window = waiting();
    static_cast<void>(window.on(own_end(1)));
    ends_cancelled(std::move(window), false);
    auto placing = waiting();
    static_cast<void>(placing.on(own_end(0)));
    ends_cancelled(std::move(placing), true);
}

TEST_CASE("agent_loop: the first reason to end stands, and nothing happens after the end")
{
    auto loop = asking();
    only<todo::abort>(loop.on(cancel()));
    happened::stop timeout{{task_state::failed, "timeout", "", std::nullopt, {}}};
    CHECK(loop.on(timeout).empty());
    only<todo::stop_jobs>(loop.on(happened::aborted{}));
    CHECK(loop.on(timeout).empty());
    CHECK(only<todo::finish>(loop.on(happened::jobs_stopped{})).how.state == task_state::cancelled);
    CHECK(loop.on(own_end(0)).empty());
    CHECK(loop.on(happened::window_over{}).empty());
    CHECK(loop.on(timeout).empty());
}

TEST_CASE("agent_loop: after a restart a task that was done settles, a paused one continues")
{
    auto done = fresh();
    only<todo::settle>(done.on(happened::begun{true, false}));
    auto paused = fresh();
    CHECK(only<todo::ask>(paused.on(happened::begun{false, true})).continuation);
}

TEST_CASE("agent_loop: a task that was interrupted behind its last reply goes on as after it")
{
    happened::begun cut;
    cut.cut = true;
    auto loop = fresh();
    CHECK(only<todo::ask>(loop.on(cut)).nudge == "Please continue.");
    happened::begun empty;
    empty.empty = true;
    auto other = fresh();
    CHECK(only<todo::ask>(other.on(empty)).nudge == "Please continue.");
    happened::reply blank;
    blank.empty = true;
    only<todo::settle>(other.on(blank)); // one nudge is enough
    happened::begun paused;
    paused.paused = true;
    auto third = fresh();
    CHECK(only<todo::ask>(third.on(paused)).continuation);
}

TEST_CASE("agent_loop: where a budget is spent already nothing is asked, but what is done stands")
{
    happened::begun spent;
    spent.spent = "all of it";
    auto loop = fresh();
    only<todo::stop_jobs>(loop.on(spent));
    CHECK(loop.why().type == "budget");
    spent.done = true;
    auto done = fresh();
    only<todo::settle>(done.on(spent));
}
