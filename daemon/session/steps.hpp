// The steps of a session's life as transactions: each changes all that belongs together, its
// events included, or nothing. Run by the store's writing thread; what they give back is
// values. The coroutine that asked goes on when they are committed.
#pragma once

#include "base/error.hpp"
#include "model/reply.hpp"
#include "session/agent_loop.hpp"
#include "session/inbox.hpp"
#include "store/calls.hpp"
#include "store/jobs.hpp"
#include "store/messages.hpp"
#include "store/notifications.hpp"
#include "store/sessions.hpp"
#include "store/tasks.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentd::session::steps {

using store::connection;

// Something undelivered, with what its telling needs.
struct waiting_news {
    std::int64_t id = 0;
    std::optional<job_news> job; // of a job
    std::string text;            // of a user's message
};

// A task that is to be worked on, and all that the session has to know for it.
struct opened_task {
    store::tasks::row task;
    store::sessions::row session;
    store::messages::epoch epoch;
    std::vector<store::messages::row> history;
    // Undelivered and in no message yet; of user messages those to this task.
    std::vector<waiting_news> news;
    // The same of what the unanswered last message carries.
    std::vector<waiting_news> carried;
    // Calls of the last reply that have no place in the history yet (after a restart).
    std::vector<store::calls::row> calls;
    std::int64_t live_jobs = 0; // of this task
    bool resumed = false;       // it had been started before
};

// What waits to be told in this task: ends of jobs, and messages to the task itself.
[[nodiscard]] std::vector<waiting_news> news_of(
    connection& db, const base::session_id& id, const base::task_id& task);

// The open task of the session, else its oldest queued one, which is thereby started; nullopt:
// there is no work. `tools` is today's tool set: another than the epoch's begins a new one.
[[nodiscard]] std::optional<opened_task> open_task(
    connection& db, const base::session_id& id, std::string_view tools);

// --- a turn

struct turn_start {
    base::task_id task;
    std::int64_t turn = 0;
    std::int64_t epoch = 1;
    std::string pending;              // the user message's content; empty: a continuation
    std::int64_t pending_seq = 0;     // 0: it is stored now
    std::vector<std::int64_t> attach; // notifications that it carries from now on
    bool got_on = false;              // all calls of the reply before it were run to their ends
};
// The seq of the user message.
[[nodiscard]] std::int64_t begin_turn(
    connection& db, const store::tasks::row& task, const turn_start& what);

struct turn_end {
    std::int64_t turn = 0;
    std::int64_t epoch = 1;
    std::int64_t elapsed_ms = 0;  // of the task, until now
    std::int64_t pending_seq = 0; // 0: a continuation
    std::string content;          // the assistant's, encoded; empty: nothing can be kept
    model::reply reply;
    double cost_usd = 0;
    std::int64_t context_tokens = 0;      // of the conversation, this reply included
    std::vector<store::calls::row> calls; // `started` for those that start at once
};
// Stores the reply, delivers what the request carried, notes the calls.
// The seq of the assistant's message (0: none); the calls' message_seq is this.
[[nodiscard]] std::int64_t complete_reply(
    connection& db, const store::tasks::row& task, const turn_end& what);

// Tokens that were paid for without a turn's reply coming of it.
void bill(
    connection& db, const store::tasks::row& task, const proto::api::usage& used, double cost_usd);

void begin_call(connection& db, const store::tasks::row& task, const store::calls::row& call);
void finish_call(connection& db, const store::tasks::row& task, const store::calls::row& call,
    std::chrono::milliseconds wall);

// --- a summary in place of a long conversation

// A request for one is about to be made.
void begin_compaction(connection& db, const store::tasks::row& task, std::int64_t turn);

// What every reply to such a request leaves behind, of use or not.
struct summary_reply {
    std::int64_t turn = 0; // the one that is to follow
    std::int64_t elapsed_ms = 0;
    model::reply reply;
    double cost_usd = 0;
};
struct compaction {
    summary_reply made;
    std::int64_t pending_seq = 0; // of the message that was asked behind; 0: not stored yet
    std::string asked;            // its content, the wish for a summary included
    std::string content;          // of the summary's message, encoded
    store::messages::epoch next;  // its first_seq is filled in
    std::string first;            // content of its first message
    base::task_id first_of;       // the task that this message belongs to
    std::int64_t tokens_before = 0;
    std::string reason, form; // as in session.compacted
};
// Stores both, ends the epoch and begins the next one with its first message, unanswered; what
// the message asked behind carried is to be told again. The first message's seq.
[[nodiscard]] std::int64_t compact(
    connection& db, const store::tasks::row& task, const compaction& what);

struct failed_compaction {
    std::optional<summary_reply> made; // absent: there was no reply
    std::int64_t turn = 0;
    std::string reason;
    std::size_t failures = 0;
    bool gave_up = false;
};
void fail_compaction(connection& db, const store::tasks::row& task, const failed_compaction& what);

// --- the end of a task

// Finishes the task if its jobs_at_end allows it now: the one check that decides.
[[nodiscard]] happened::settled settle(connection& db, const store::tasks::row& task);
// running -> waiting / waiting -> running.
void begin_waiting(connection& db, const store::tasks::row& task);
void end_waiting(connection& db, const store::tasks::row& task);

struct abandoned {
    ending how;
    std::int64_t epoch = 1;
    std::string pending; // the unanswered user message, its note included; empty: none
    std::int64_t pending_seq = 0;
    std::string replacement; // of a refused message: what stands in its place; may be empty
    bool refused = false;    // the message goes, a new epoch begins
};
// Ends the task without a final reply. The notifications that go back to the queue.
[[nodiscard]] std::vector<std::int64_t> finish_task(
    connection& db, const store::tasks::row& task, const abandoned& what);

// The same for the session's open task, else its oldest queued one, when it cannot even be
// loaded. False: there is none.
[[nodiscard]] bool fail_next(connection& db, const base::session_id& id, const ending& how);

// --- jobs

// False: the id is taken.
[[nodiscard]] bool queue_job(connection& db, const store::jobs::row& job, bool queued);
void start_job(connection& db, const store::jobs::row& job, std::int64_t pid);
// The end and its notification; the notification's id, 0 when it had ended before.
[[nodiscard]] std::int64_t finish_job(connection& db, const store::jobs::row& job);
// It waits for input, silent for so long: the notification's id, 0 when it has ended meanwhile.
// `entry` is what the model is told.
[[nodiscard]] std::int64_t stall_job(connection& db, const proto::api::job& job,
    std::chrono::milliseconds silent, const std::string& entry);

// --- after a restart

// The session's next task is about to be worked on, or even read: an end of the daemon from now
// on, until it waits, ends or is laid down in order, may be its fault.
void take_up(connection& db, const base::session_id& id);

// The daemon is stopping in order: ends that come after it are not in a row with those before.
void lay_down(connection& db);

// One more end of the daemon under it makes a crash loop.
struct suspect {
    base::task_id task;
    base::session_id session;
};
struct recovered {
    std::vector<base::session_id> sessions; // that have work, those of suspects left out
    std::vector<suspect> suspects;
    std::int64_t kept = 0; // sessions in all
};
// Jobs that an earlier run has left without an end. What the spool has of their output is filled
// in before recover() gets them.
[[nodiscard]] std::vector<store::jobs::row> lost_jobs(connection& db);
// What cannot go on is given its end: jobs are lost, their notifications queued; a task under
// which the daemon ended limits::crash_loop_ends times has failed.
[[nodiscard]] recovered recover(connection& db, std::vector<store::jobs::row> lost);

} // namespace agentd::session::steps
