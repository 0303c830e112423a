#include "store/step.hpp"

namespace agentd::store {

std::string_view to_string(step name)
{
    switch (name) {
    case step::submit_task: return "submit_task";
    case step::add_message: return "add_message";
    case step::request_cancel: return "request_cancel";
    case step::delete_session: return "delete_session";
    case step::import_session: return "import_session";
    case step::take_up_task: return "take_up_task";
    case step::start_task: return "start_task";
    case step::begin_turn: return "begin_turn";
    case step::complete_reply: return "complete_reply";
    case step::begin_call: return "begin_call";
    case step::finish_call: return "finish_call";
    case step::wait_for_jobs: return "wait_for_jobs";
    case step::wake_task: return "wake_task";
    case step::finish_task: return "finish_task";
    case step::new_epoch: return "new_epoch";
    case step::queue_job: return "queue_job";
    case step::start_job: return "start_job";
    case step::stall_job: return "stall_job";
    case step::finish_job: return "finish_job";
    case step::recover: return "recover";
    case step::daemon_event: return "daemon_event";
    case step::purge: return "purge";
    case step::migrate: return "migrate";
    case step::reserve_seq: return "reserve_seq";
    case step::close: return "close";
    }
    return "unknown";
}

} // namespace agentd::store
