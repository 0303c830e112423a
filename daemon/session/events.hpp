// The events of the daemon's history (DESIGN §10) as they are written: one function a type,
// so that each type's members are decided in one place. Pure; any thread.
#pragma once

#include "model/reply.hpp"
#include "proto/api/types.hpp"
#include "store/calls.hpp"
#include "store/notifications.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace agentd::session::events {

using proto::api::event;

[[nodiscard]] event session_created(const proto::api::session& what);
[[nodiscard]] event session_deleted(const base::session_id& id);
// The conversation goes on in a new epoch, with a summary of the one before.
struct compacted {
    std::int64_t from_epoch = 0, epoch = 0;
    std::int64_t turn = 0;           // the one that it was done for
    std::int64_t tokens_before = 0;  // partly an estimate
    std::int64_t summary_tokens = 0; // 0: the server does not count
    std::string_view reason;         // window, too_long
    std::string_view form;           // summary, digest
};
[[nodiscard]] event session_compacted(const proto::api::task& by, const compacted& what);
// It stays as it is; `gave_up`: it is not tried again in this task.
[[nodiscard]] event session_compaction_failed(const proto::api::task& by, std::int64_t turn,
    std::string_view reason, std::size_t failures, bool gave_up);

[[nodiscard]] event task_submitted(const proto::api::task& what);
[[nodiscard]] event task_started(const proto::api::task& what);
[[nodiscard]] event task_waiting(const proto::api::task& what, std::int64_t live_jobs);
[[nodiscard]] event task_cancel_requested(const proto::api::task& what);
// With the state it ended in, its error, turns, usage and cost.
[[nodiscard]] event task_finished(const proto::api::task& what);
[[nodiscard]] event message_received(const proto::api::task& to, std::int64_t notification);

// What a request is for: a turn, or a summary of the conversation before that turn.
enum class purpose { turn, compaction };
[[nodiscard]] event turn_started(
    const proto::api::task& what, std::int64_t turn, purpose why = purpose::turn);
[[nodiscard]] event turn_finished(const proto::api::task& what, std::int64_t turn,
    const model::reply& reply, double cost_usd, purpose why = purpose::turn);
[[nodiscard]] event model_text(
    const proto::api::task& what, std::int64_t turn, std::size_t block, std::string_view text);
[[nodiscard]] event model_retry(const proto::api::task& what, std::int64_t turn,
    std::int64_t attempt, const model::failure& why, std::chrono::milliseconds delay);
[[nodiscard]] event model_fallback(const proto::api::task& what, std::int64_t turn,
    std::string_view from, std::string_view to, const model::failure& why);

[[nodiscard]] event tool_started(const proto::api::task& what, const store::calls::row& call);
[[nodiscard]] event tool_finished(
    const proto::api::task& what, const store::calls::row& call, std::chrono::milliseconds wall);

[[nodiscard]] event job_queued(const proto::api::job& what);
[[nodiscard]] event job_started(const proto::api::job& what);
[[nodiscard]] event job_stalled(const proto::api::job& what, std::chrono::milliseconds silent);
[[nodiscard]] event job_finished(const proto::api::job& what);
[[nodiscard]] event notification_queued(const store::notifications::row& what, std::int64_t id);
// To that task, whose it need not be.
[[nodiscard]] event notification_delivered(
    const store::notifications::row& what, const base::task_id& to);

} // namespace agentd::session::events
