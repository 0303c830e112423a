// Reading one task out of its three tables; for the two chapters of tasks.hpp (tasks.cpp,
// task_lists.cpp). On the store's threads.
#pragma once

#include "store/tasks.hpp"

#include <string_view>

namespace agentd::store::tasks {

// SELECT {row_columns} FROM {row_tables}: what read_row takes. (CROSS JOIN: tasks come first.)
inline constexpr std::string_view row_columns =
    "t.id, t.session, t.owner_uid, t.state, t.jobs_at_end, t.priority, t.cancel_requested, "
    "t.turns, t.result_turn, t.input, t.output, t.cache_read, t.cache_write, t.cost_usd, "
    "t.max_turns, t.timeout_s, t.budget_usd, t.max_tokens_total, t.elapsed_ms, t.unclean_ends, "
    "t.created_at, t.started_at, t.ended_at, t.stop_reason, t.error_type, t.error_message, "
    "t.error_status, t.error_request_id, t.model, t.labels, i.prompt, i.system, i.env, r.result";
inline constexpr std::string_view row_tables =
    "tasks t CROSS JOIN task_inputs i ON i.task = t.n LEFT JOIN task_results r ON r.task = t.n";

[[nodiscard]] row read_row(const statement& from);

} // namespace agentd::store::tasks
