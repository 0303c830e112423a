// The table of notifications: what a session's model must still be told. One is queued in the
// transaction of what it tells of, and delivered in the one that stores the reply to the
// request that carried it. On the store's threads, inside a transaction.
#pragma once

#include "proto/api/types.hpp"
#include "store/connection.hpp"

namespace agentd::store::notifications {

enum class kind { job_ended = 0, user_message = 1, job_stalled = 2 };
[[nodiscard]] std::string_view to_string(kind); // "job_ended", ...

struct row {
    std::int64_t id = 0; // order of arrival over all sessions
    base::session_id session_id;
    base::task_id task_id; // the job's task / the task the message was sent to
    notifications::kind kind = notifications::kind::job_ended;
    base::job_id job_id;          // of job_ended and job_stalled
    std::string text;             // of user_message; of job_stalled its whole entry
    std::int64_t message_seq = 0; // of the unanswered user message that carries it; 0: none yet
};

// Its id.
[[nodiscard]] std::int64_t queue(connection& db, const row& what);
// All that is not delivered, oldest first (also what an unanswered message carries).
[[nodiscard]] std::vector<row> undelivered(connection& db, const base::session_id& id);
// The message with this seq carries it / no message does any more (a refused one): what it
// carried is undelivered again.
void attach(connection& db, std::int64_t id, std::int64_t message_seq);
void detach_all(connection& db, const base::session_id& id, std::int64_t message_seq);
// Marks delivered what the message carries, and gives it, oldest first.
[[nodiscard]] std::vector<row> deliver(
    connection& db, const base::session_id& id, std::int64_t message_seq);
// Undelivered user messages to a task.
[[nodiscard]] std::int64_t count_messages(connection& db, const base::task_id& id);
// Undelivered ones of any kind that no message carries yet.
[[nodiscard]] std::int64_t count_waiting(connection& db, const base::session_id& id);

} // namespace agentd::store::notifications
