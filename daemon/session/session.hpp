// One live session: the coroutine that works off its tasks one after another. It asks the
// model, runs the tools, waits for jobs; what to do next is agent_loop's to decide, what has
// happened comes in by one mailbox. An idle session is a row in the database and has no such
// object; the registry alone makes and retires it.
// Everything on the session's strand but signal(), which is for any thread.
#pragma once

#include "aio/mailbox.hpp"
#include "aio/task_group.hpp"
#include "model/client.hpp"
#include "session/agent_loop.hpp"
#include "session/environment.hpp"
#include "session/history.hpp"
#include "session/inbox.hpp"
#include "session/live_jobs.hpp"
#include "session/scheduler.hpp"
#include "session/steps.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>

namespace agentd::session {

class open_work; // the task being worked on, see open_work.hpp

// What comes to a session from outside.
namespace signal {
struct look_for_work {};
struct cancel {
    base::task_id task;
};
struct message {
    base::task_id task;
    std::int64_t notification = 0;
    std::string text;
};
struct kill_job {
    base::job_id job;
};
struct shut_down {};
} // namespace signal

// What its own coroutines report. `step` is the one they were started in; older ones are stale.
namespace report {
struct model_answered {
    std::uint64_t step = 0;
    model::outcome outcome;
};
struct window_told {
    std::uint64_t step = 0;
    std::optional<std::int64_t> tokens; // nothing: the server does not say
};
struct model_retries {
    std::uint64_t step = 0;
    proto::api::event event;
};
struct call_ended {
    std::uint64_t step = 0;
    std::size_t call = 0;
};
struct job_ended {
    base::task_id of;
    std::string broken; // the store has refused its end for this reason (broken_step)
};
struct job_stalled {
    base::task_id of;
};
struct place_free {
    std::uint64_t step = 0;
    scheduler::place place;
};
struct window_over {
    std::uint64_t step = 0;
};
struct time_over {};
// A step of one of them was refused by the store (broken_step).
struct step_broken {
    std::string text;
};
} // namespace report

using incoming = std::variant<signal::look_for_work, signal::cancel, signal::message,
    signal::kill_job, signal::shut_down, report::model_answered, report::window_told,
    report::model_retries, report::call_ended, report::job_ended, report::job_stalled,
    report::place_free, report::window_over, report::time_over, report::step_broken>;

class session {
public:
    session(environment& shared, base::session_id id, aio::executor strand);
    ~session();

    // Works until there is nothing left to do and `retire` agrees (it gets the number of
    // signals seen), or until it is shut down.
    using retire = std::function<aio::awaitable<bool>(std::uint64_t seen)>;
    aio::awaitable<> run(retire may_go);

    // Hands in a signal. Any thread; `self` keeps the session alive until it is taken.
    static void post(std::shared_ptr<session> self, incoming what);

    [[nodiscard]] const base::session_id& id() const { return id_; }

private:
    friend class open_work;

    // One task from its place to its end; false when there was none.
    aio::awaitable<bool> work();
    // Waits for its turn; nullopt: shut down, or nothing to do any more.
    aio::awaitable<std::optional<scheduler::place>> take_turn(scheduler::wish what);
    aio::awaitable<std::optional<scheduler::wish>> next_wish();
    // With no task open: until there may be work, or the last job has ended.
    aio::awaitable<> rest();
    // What matters with and without a task. True: it was that.
    bool took_care(const incoming& what);
    void put(incoming what);
    // The next thing that has come; waits for it.
    aio::awaitable<incoming> next();

    environment& shared_;
    base::session_id id_;
    aio::executor strand_;
    std::uint64_t seen_ = 0; // signals taken
    bool stopping_ = false;
    inbox inbox_;
    aio::mailbox<incoming> arrivals_;
    // Signals in the mailbox that say nothing new when they come again ("cancel t_...").
    std::set<std::string> said_;
    std::unique_ptr<open_work> open_;
    live_jobs jobs_; // last: its coroutines use the others
};

} // namespace agentd::session
