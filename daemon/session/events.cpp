#include "session/events.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "proto/api/json.hpp"
#include "proto/json/writer.hpp"

#include <utility>

namespace agentd::session::events {
namespace {

using proto::json::object_writer;

// An event of `type` about a task (and its session), without members of its own yet.
event about(std::string_view type, const base::session_id& session, const base::task_id& task = {},
    const base::job_id& job = {})
{
    event e;
    e.time = base::wall_now();
    e.type = type;
    e.session_id = session;
    e.task_id = task;
    e.job_id = job;
    return e;
}

event about(std::string_view type, const proto::api::task& task)
{
    return about(type, task.session_id, task.id);
}

event about(std::string_view type, const proto::api::job& job)
{
    return about(type, job.session_id, job.task_id, job.id);
}

// Runs `fill` over the writer of the event's own members.
template <class Fill>
event with(event e, Fill fill)
{
    e.body.clear();
    object_writer body{e.body};
    fill(body);
    body.close();
    return e;
}

void write_failure(object_writer& body, const model::failure& why)
{
    body.member("reason", why.type).member("message", why.message).member("status", why.status);
    if (!why.request_id.empty())
        body.member("request_id", why.request_id);
}

void write_usage(object_writer& body, const model::usage& used)
{
    auto usage = body.object("usage");
    usage.member("input", used.input).member("output", used.output);
    usage.member("cache_read", used.cache_read).member("cache_write", used.cache_write);
}

void write_command(object_writer& body, const proto::api::job& job)
{
    body.member("command", base::one_line(job.command, limits::command_chars));
}

} // namespace

event session_created(const proto::api::session& what)
{
    return with(about("session.created", what.id), [&what](object_writer& body) {
        body.member("model", what.model).member("workdir", what.workdir);
    });
}

event session_deleted(const base::session_id& id)
{
    return about("session.deleted", id);
}

event session_compacted(const proto::api::task& by, const compacted& what)
{
    return with(about("session.compacted", by), [&what](object_writer& body) {
        body.member("from_epoch", what.from_epoch).member("epoch", what.epoch);
        body.member("turn", what.turn).member("reason", what.reason).member("form", what.form);
        body.member("tokens_before", what.tokens_before);
        body.member("summary_tokens", what.summary_tokens);
    });
}

event session_compaction_failed(const proto::api::task& by, std::int64_t turn,
    std::string_view reason, std::size_t failures, bool gave_up)
{
    return with(about("session.compaction_failed", by), [=](object_writer& body) {
        body.member("turn", turn).member("reason", reason);
        body.member("failures", failures).member("gave_up", gave_up);
    });
}

event task_submitted(const proto::api::task& what)
{
    return with(about("task.submitted", what), [&what](object_writer& body) {
        body.member("model", what.model).member("priority", what.priority);
        body.member("owner_uid", what.owner_uid);
        body.member("jobs_at_end", to_string(what.jobs_at_end));
    });
}

event task_started(const proto::api::task& what)
{
    return with(about("task.started", what),
        [&what](object_writer& body) { body.member("model", what.model); });
}

event task_waiting(const proto::api::task& what, std::int64_t live_jobs)
{
    return with(about("task.waiting", what),
        [live_jobs](object_writer& body) { body.member("live_jobs", live_jobs); });
}

event task_cancel_requested(const proto::api::task& what)
{
    return about("task.cancel_requested", what);
}

event task_finished(const proto::api::task& what)
{
    return with(about("task.finished", what), [&what](object_writer& body) {
        body.member("state", to_string(what.state));
        if (what.error) {
            auto error = body.object("error");
            error.member("type", what.error->type).member("message", what.error->message);
            error.member_if("status", what.error->status);
            if (!what.error->request_id.empty())
                error.member("request_id", what.error->request_id);
        }
        body.member("turns", what.turns).raw("usage", proto::api::to_json(what.usage));
        body.member("cost_usd", what.cost_usd);
    });
}

event message_received(const proto::api::task& to, std::int64_t notification)
{
    return with(about("message.received", to),
        [notification](object_writer& body) { body.member("notification", notification); });
}

event turn_started(const proto::api::task& what, std::int64_t turn, purpose why)
{
    return with(about("turn.started", what), [turn, why](object_writer& body) {
        body.member("turn", turn);
        if (why == purpose::compaction)
            body.member("compaction", true);
    });
}

event turn_finished(const proto::api::task& what, std::int64_t turn, const model::reply& reply,
    double cost_usd, purpose why)
{
    return with(about("turn.finished", what), [=, &reply](object_writer& body) {
        body.member("turn", turn).member("stop_reason", to_string(reply.stop));
        if (why == purpose::compaction)
            body.member("compaction", true);
        body.member("model", reply.model).member("attempts", reply.attempts);
        if (reply.first_token)
            body.member("first_token_ms", reply.first_token->count());
        if (!reply.request_id.empty())
            body.member("request_id", reply.request_id);
        write_usage(body, model::billed_usage(reply));
        body.member("cost_usd", cost_usd);
    });
}

event model_text(
    const proto::api::task& what, std::int64_t turn, std::size_t block, std::string_view text)
{
    return with(about("model.text", what), [turn, block, text](object_writer& body) {
        body.member("turn", turn).member("block", block).member("text", text);
    });
}

event model_retry(const proto::api::task& what, std::int64_t turn, std::int64_t attempt,
    const model::failure& why, std::chrono::milliseconds delay)
{
    return with(about("model.retry", what), [=, &why](object_writer& body) {
        body.member("turn", turn).member("attempt", attempt).member("delay_ms", delay.count());
        write_failure(body, why);
    });
}

event model_fallback(const proto::api::task& what, std::int64_t turn, std::string_view from,
    std::string_view to, const model::failure& why)
{
    return with(about("model.fallback", what), [=, &why](object_writer& body) {
        body.member("turn", turn).member("from", from).member("to", to);
        write_failure(body, why);
    });
}

event tool_started(const proto::api::task& what, const store::calls::row& call)
{
    return with(about("tool.started", what), [&call](object_writer& body) {
        body.member("tool", call.name).member("tool_use_id", call.tool_id);
    });
}

event tool_finished(
    const proto::api::task& what, const store::calls::row& call, std::chrono::milliseconds wall)
{
    return with(about("tool.finished", what), [&call, wall](object_writer& body) {
        body.member("tool", call.name).member("tool_use_id", call.tool_id);
        body.member("is_error", call.is_error).member("wall_ms", wall.count());
        body.member("result_bytes", call.text.size());
    });
}

event job_queued(const proto::api::job& what)
{
    return with(
        about("job.queued", what), [&what](object_writer& body) { write_command(body, what); });
}

event job_started(const proto::api::job& what)
{
    return with(
        about("job.started", what), [&what](object_writer& body) { write_command(body, what); });
}

event job_stalled(const proto::api::job& what, std::chrono::milliseconds silent)
{
    return with(about("job.stalled", what), [&what, silent](object_writer& body) {
        write_command(body, what);
        body.member("silent_ms", silent.count()).member("output_bytes", what.output_bytes);
    });
}

event job_finished(const proto::api::job& what)
{
    return with(about("job.finished", what), [&what](object_writer& body) {
        write_command(body, what);
        body.member("state", to_string(what.state));
        if (!what.by.empty())
            body.member("by", what.by);
        if (!what.reason.empty())
            body.member("reason", what.reason);
        body.member_if("exit_code", what.exit_code).member_if("signal", what.signal);
        body.member_if("wall_ms", what.wall_ms).member_if("cpu_ms", what.cpu_ms);
        body.member_if("peak_bytes", what.peak_bytes).member("output_bytes", what.output_bytes);
        body.member("oom", what.oom);
        if (what.gap) {
            auto gap = body.object("gap");
            gap.member("start", what.gap->start).member("end", what.gap->end);
        }
    });
}

event notification_queued(const store::notifications::row& what, std::int64_t id)
{
    return with(about("notification.queued", what.session_id, what.task_id, what.job_id),
        [&what, id](object_writer& body) {
            body.member("notification", id).member("kind", to_string(what.kind));
        });
}

event notification_delivered(const store::notifications::row& what, const base::task_id& to)
{
    return with(about("notification.delivered", what.session_id, to, what.job_id),
        [&what](object_writer& body) {
            body.member("notification", what.id).member("kind", to_string(what.kind));
        });
}

} // namespace agentd::session::events
