// The tables of messages and epochs: each session's history, as bytes that are encoded once.
// An epoch is a stretch of history with one model, system prompt and tool set; the history of
// epoch E are the messages that began in E or before, had not ended by then and were not
// summarised before.
// On the store's threads, inside a transaction.
#pragma once

#include "proto/api/types.hpp"
#include "store/connection.hpp"

namespace agentd::store::messages {

struct row {
    proto::api::message shown; // content: the bytes of the JSON array
    bool answered = true;      // false: a user message to which no complete reply is stored yet
};

struct epoch {
    std::int64_t number = 1;
    std::string model;
    std::string system; // encoded JSON array, sent unchanged
    std::string tools;  // encoded JSON array, sent unchanged
    // Messages before it are no part of the epoch. 0: all are.
    std::int64_t first_seq = 0;
};

// Appends with the next seq of the session, which it returns; counts it in the session.
[[nodiscard]] std::int64_t append(connection& db, const base::session_id& id, const row& what);
// Replaces the content of an unanswered message / marks it answered.
// It is then also of `task`, which has extended it.
void rewrite(connection& db, const base::session_id& id, std::int64_t seq, std::string_view content,
    const base::task_id& task);
void mark_answered(connection& db, const base::session_id& id, std::int64_t seq);
// The message belongs to no epoch from `epoch` on (a refused one).
void end_at(connection& db, const base::session_id& id, std::int64_t seq, std::int64_t epoch);

// What a request of that epoch is made of, in order.
[[nodiscard]] std::vector<row> history(
    connection& db, const base::session_id& id, std::int64_t epoch);
// The newest one of all epochs.
[[nodiscard]] std::optional<row> last(connection& db, const base::session_id& id);
// A page of all epochs, oldest first.
[[nodiscard]] std::vector<proto::api::message> list(
    connection& db, const base::session_id& id, std::int64_t after_seq, std::size_t limit);

void insert_epoch(connection& db, const base::session_id& id, const epoch& what);
[[nodiscard]] std::optional<epoch> find_epoch(
    connection& db, const base::session_id& id, std::int64_t number);

} // namespace agentd::store::messages
