// The table of tasks. On the store's threads, inside a transaction.
#pragma once

#include "proto/api/types.hpp"
#include "store/connection.hpp"

namespace agentd::store::tasks {

// A task with what the API takes but never shows.
struct row {
    proto::api::task shown;
    std::string system;
    std::map<std::string, std::string> env;
    std::int64_t max_turns = 0;
    std::int64_t timeout_s = 0; // 0: none
    std::optional<double> budget_usd;
    std::optional<std::int64_t> max_tokens_total;
    std::int64_t elapsed_ms = 0;   // spent in running and waiting while the daemon was up
    std::int64_t unclean_ends = 0; // of the daemon while this task had a step in progress
};

struct filter {
    std::optional<std::uint32_t> owner_uid;
    std::vector<proto::api::task_state> states; // empty: all
    std::optional<base::session_id> session_id;
    proto::api::labels labels; // all must match
    std::size_t limit = 0;
    std::string after;
};

[[nodiscard]] bool insert(connection& db, const row& what); // false: the id is taken
[[nodiscard]] std::optional<row> find(connection& db, const base::task_id& id);
[[nodiscard]] std::vector<proto::api::task> list(connection& db, const filter& which);
[[nodiscard]] std::vector<std::string> ids_with_prefix(connection& db, std::string_view prefix,
    std::optional<std::uint32_t> owner_uid, std::size_t limit);
// The task of the session that is running or waiting; the oldest queued one.
[[nodiscard]] std::optional<row> open_of(connection& db, const base::session_id& id);
[[nodiscard]] std::optional<row> next_queued(connection& db, const base::session_id& id);
[[nodiscard]] std::int64_t count(connection& db, proto::api::task_state state);

// Each changes only a task that is in one of the states it may come from, and says whether it
// did. start: queued -> running; set_waiting: running <-> waiting; request_cancel and finish:
// any that has not ended. A second open task of a session breaks the schema (errc::failed).
[[nodiscard]] bool start(connection& db, const base::task_id& id, base::wall_time now);
[[nodiscard]] bool set_waiting(connection& db, const base::task_id& id, bool waiting);
[[nodiscard]] bool request_cancel(connection& db, const base::task_id& id);
[[nodiscard]] bool finish(connection& db, const base::task_id& id, proto::api::task_state end,
    const std::optional<proto::api::task_error>& error, base::wall_time now);

// After a complete reply: one more turn, its usage, its stop reason; text, if it had any, is
// the result.
void add_turn(connection& db, const base::task_id& id, const proto::api::usage& used,
    double cost_usd, std::string_view stop_reason, const std::optional<std::string>& text);
// Of a reply that is no turn of its own (a summary of the conversation).
void add_usage(
    connection& db, const base::task_id& id, const proto::api::usage& used, double cost_usd);
void set_elapsed(connection& db, const base::task_id& id, std::int64_t elapsed_ms);
void set_unclean_ends(connection& db, const base::task_id& id, std::int64_t ends);
// Of all tasks that have not ended.
void clear_unclean_ends(connection& db);

// Whether it is being worked on. What a daemon leaves standing here when it ends tells its
// successor, in the same run of the machine, under which tasks that was.
void set_at_work(connection& db, const base::task_id& id, bool now);
// The tasks that are so in this run of the machine, oldest first / makes it none, of any run.
[[nodiscard]] std::vector<base::task_id> at_work(connection& db);
void set_none_at_work(connection& db);
// The tasks that have not ended and have so many unclean ends or more, with their sessions,
// oldest first.
[[nodiscard]] std::vector<std::pair<base::task_id, base::session_id>> that_met(
    connection& db, std::int64_t ends);

} // namespace agentd::store::tasks
