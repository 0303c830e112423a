// What a task does next: the turn logic without I/O. It gets what has happened and answers
// with what is to be done; the session (session.hpp) obeys and reports back. No clock, no
// Asio; tested by a table of events.
//
//   begin -> ask -> reply -> run_tools -> ask ...            (a turn: one request, its tools)
//                     `---> settle -> finish | ask | wait    (the model is done)
//   waiting -> window -> take_place -> ask                   (a job's end wakes the task)
//   anything -> abort -> stop_jobs -> finish                 (cancel, timeout, failure)
#pragma once

#include "proto/api/types.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace agentd::session {

// How a task ends, when it does not go on.
struct ending {
    proto::api::task_state state = proto::api::task_state::succeeded;
    std::string type; // of failed: error.type
    std::string message;
    std::optional<int> status;
    std::string request_id;
};

// The two that are not found out by the loop itself.
[[nodiscard]] ending cancelled_by_user();
[[nodiscard]] ending failed_as(std::string type, std::string message);
// What the next prompt must not be mistaken for: words about a message nobody has answered.
[[nodiscard]] std::string note_about(const ending& how);

namespace happened {

// The task is running; it may have been interrupted by a restart.
struct begun {
    // Of its last reply, when that was all: see reply. None of them: a request is due.
    bool done = false; // the model has had its say and nothing is new
    bool paused = false;
    bool cut = false;
    bool empty = false;
    std::string spent; // which budget is used up already; empty: none
};
// A complete reply is stored. Exactly one of the first five, or none: the model is done.
struct reply {
    bool calls = false;   // it asked for tools
    bool paused = false;  // pause_turn
    bool refused = false; // refusal; nothing of it was stored
    bool cut = false;     // max_tokens or the context window ended a text
    bool empty = false;   // done, but with nothing to show
    std::string refusal;  // the explanation, if one was given
    std::string spent;    // which budget this reply has used up; empty: none
};
// There will be no reply.
struct request_failed {
    ending why;
};
// Every call of the reply has its stored answer.
struct tools_done {};
// What finish found: the check and the end are one transaction.
struct settled {
    // `cancelled`: the user has asked for an end before; the request for it is under way here.
    enum class found { finished, news, live_jobs, cancelled } outcome = found::finished;
};
// A job's end is in the inbox. `own`: of this task; `own_live`: how many of its own still live.
struct job_ended {
    bool own = true;
    std::int64_t own_live = 0;
};
// That a job stalls is in the inbox. `own`: one of this task.
struct job_stalled {
    bool own = true;
};
// A user's message is in the inbox.
struct user_message {};
// The wake window is over / the scheduler has given the task a place.
struct window_over {};
struct place_taken {};
// What ran has ended after `abort`: a request without a trace, calls with stored answers.
struct aborted {};
// The jobs of the task are gone after `stop_jobs`.
struct jobs_stopped {};
// The user wants an end / the time or a budget is spent / something is broken.
struct stop {
    ending why;
};

} // namespace happened

using event = std::variant<happened::begun, happened::reply, happened::request_failed,
    happened::tools_done, happened::settled, happened::job_ended, happened::job_stalled,
    happened::user_message, happened::window_over, happened::place_taken, happened::aborted,
    happened::jobs_stopped, happened::stop>;

namespace todo {

// Drain the inbox, send a request. `nudge`: a text that goes on with a cut or empty reply.
// `continuation`: of a paused reply; nothing is added, the inbox waits.
struct ask {
    std::string nudge;
    bool continuation = false;
};
// Answer the calls of the reply. `refuse`: none is run, each is answered with this reason.
struct run_tools {
    std::string refuse;
};
// Finish if nothing is left, in one transaction; then happened::settled.
struct settle {};
// Nothing to do until something happens: the task is waiting and gives its place back.
struct wait {};
// happened::window_over after the wake window.
struct open_window {};
// Ask the scheduler for a place; then happened::place_taken.
struct take_place {};
// Cancel the running request, tools or wait for a place; then happened::aborted.
struct abort {};
// Stop the task's jobs and wait until their trees are gone; then happened::jobs_stopped.
struct stop_jobs {};
// The task has ended so.
struct finish {
    ending how;
};

} // namespace todo

using action = std::variant<todo::ask, todo::run_tools, todo::settle, todo::wait, todo::open_window,
    todo::take_place, todo::abort, todo::stop_jobs, todo::finish>;

class agent_loop {
public:
    struct rules {
        proto::api::jobs_at_end at_end = proto::api::jobs_at_end::wait;
        std::int64_t max_turns = 0;
        std::int64_t turns_before = 0; // taken before a restart
    };

    explicit agent_loop(rules r) : rules_(r), turns_(r.turns_before) {}

    // What to do now; usually nothing or one thing, in order.
    [[nodiscard]] std::vector<action> on(const event& what);

    // How the task ends, once that is decided.
    [[nodiscard]] const ending& why() const { return how_; }
    [[nodiscard]] bool is_over() const { return at_ == at::over; }
    [[nodiscard]] bool is_asking() const { return at_ == at::asking; }
    [[nodiscard]] bool is_waiting() const { return at_ == at::waiting || at_ == at::window; }

private:
    enum class at {
        fresh,         // not begun
        asking,        // a request runs
        running_tools, // its calls run
        settling,      // the model is done; the store decides whether that is the end
        killing,       // jobs_at_end = kill: they are being stopped before settling
        waiting,       // the model is done, own jobs live
        window,        // one has ended; others may end within the window
        placing,       // awake, waiting for a place
        aborting,      // ending: what runs is being cancelled
        stopping_jobs, // ending: jobs are being stopped
        over,
    };

    std::vector<action> react(const happened::begun&);
    std::vector<action> react(const happened::reply&);
    std::vector<action> react(const happened::request_failed&);
    std::vector<action> react(const happened::tools_done&);
    std::vector<action> react(const happened::settled&);
    std::vector<action> react(const happened::job_ended&);
    std::vector<action> react(const happened::job_stalled&);
    std::vector<action> react(const happened::user_message&);
    std::vector<action> react(const happened::window_over&);
    std::vector<action> react(const happened::place_taken&);
    std::vector<action> react(const happened::aborted&);
    std::vector<action> react(const happened::jobs_stopped&);
    std::vector<action> react(const happened::stop&);

    std::vector<action> ask(todo::ask how = {});
    std::vector<action> done(); // the model asked for nothing more
    std::vector<action> settle();
    std::vector<action> wake();
    std::vector<action> end(ending how); // nothing runs any more but jobs
    std::vector<action> finish();

    rules rules_;
    at at_ = at::fresh;
    std::int64_t turns_ = 0;
    std::size_t cut_in_a_row_ = 0;
    std::size_t paused_in_a_row_ = 0;
    bool nudged_empty_ = false;
    bool jobs_killed_ = false; // jobs_at_end = kill has been done since the last request
    std::string spent_;        // the budget that allows no further request
    ending how_;
};

} // namespace agentd::session
