// The names of all transactions: logs, fail points and tests speak of them. Pure; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace agentd::store {

enum class step {
    // asked for by a client
    submit_task,
    add_message,
    request_cancel,
    delete_session,
    import_session,
    // the life of a task
    take_up_task,
    start_task,
    begin_turn,
    complete_reply,
    begin_call,
    finish_call,
    wait_for_jobs,
    wake_task,
    finish_task,
    new_epoch,
    // the life of a job
    queue_job,
    start_job,
    stall_job,
    finish_job,
    // the daemon's own
    recover,
    daemon_event,
    purge,
    // the store's own: schema.hpp, event_log.hpp
    migrate,
    reserve_seq,
    close,
};
// Steps are the numbers below this one.
inline constexpr std::size_t step_count = static_cast<std::size_t>(step::close) + 1;

[[nodiscard]] std::string_view to_string(step);

} // namespace agentd::store
