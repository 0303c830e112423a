// The objects of the API written as JSON; see json.hpp.
#include "proto/api/json.hpp"
#include "proto/json/writer.hpp"

namespace agentd::proto::api {
namespace {

using json::object_writer;

void write_time(
    object_writer& to, std::string_view name, const std::optional<base::wall_time>& time)
{
    if (time)
        to.member(name, base::to_rfc3339(*time));
    else
        to.null(name);
}

// An empty text means "none".
void write_text(object_writer& to, std::string_view name, const std::string& text)
{
    if (text.empty())
        to.null(name);
    else
        to.member(name, text);
}

void write_usage(object_writer& to, const usage& value)
{
    auto inner = to.object("usage");
    inner.member("input", value.input)
        .member("output", value.output)
        .member("cache_read", value.cache_read)
        .member("cache_write", value.cache_write);
}

void write_error(object_writer& to, const std::optional<task_error>& error)
{
    if (!error) {
        to.null("error");
        return;
    }
    auto inner = to.object("error");
    inner.member("type", error->type).member("message", error->message);
    inner.member_if("status", error->status);
    if (!error->request_id.empty())
        inner.member("request_id", error->request_id);
}

void write_labels(object_writer& to, const labels& all)
{
    auto inner = to.object("labels");
    for (const auto& [key, value] : all)
        inner.member(key, value);
}

} // namespace

void append_json(std::string& out, const usage& value)
{
    object_writer to{out};
    to.member("input", value.input)
        .member("output", value.output)
        .member("cache_read", value.cache_read)
        .member("cache_write", value.cache_write);
}

void append_json(std::string& out, const task& value)
{
    object_writer to{out};
    to.member("id", value.id.str())
        .member("session_id", value.session_id.str())
        .member("owner_uid", value.owner_uid)
        .member("state", to_string(value.state))
        .member("prompt", value.prompt)
        .member("result", value.result)
        .member("result_turn", value.result_turn);
    write_error(to, value.error);
    write_text(to, "stop_reason", value.stop_reason);
    to.member("model", value.model);
    write_labels(to, value.labels);
    to.member("priority", value.priority)
        .member("jobs_at_end", to_string(value.jobs_at_end))
        .member("cancel_requested", value.cancel_requested)
        .member("turns", value.turns);
    write_usage(to, value.usage);
    to.member("cost_usd", value.cost_usd);
    write_time(to, "created_at", value.created_at);
    write_time(to, "started_at", value.started_at);
    write_time(to, "ended_at", value.ended_at);
}

void append_json(std::string& out, const session& value)
{
    object_writer to{out};
    to.member("id", value.id.str())
        .member("state", to_string(value.state))
        .member("model", value.model)
        .member("workdir", value.workdir)
        .member("epoch", value.epoch)
        .member("messages", value.messages);
    write_usage(to, value.usage);
    to.member("cost_usd", value.cost_usd);
    write_time(to, "created_at", value.created_at);
    write_time(to, "updated_at", value.updated_at);
}

void append_json(std::string& out, const job& value)
{
    object_writer to{out};
    to.member("id", value.id.str())
        .member("session_id", value.session_id.str())
        .member("task_id", value.task_id.str())
        .member("command", value.command)
        .member("state", to_string(value.state));
    write_text(to, "by", value.by);
    write_text(to, "reason", value.reason);
    to.member("exit_code", value.exit_code)
        .member("signal", value.signal)
        .member("oom", value.oom)
        .member("wall_ms", value.wall_ms)
        .member("cpu_ms", value.cpu_ms)
        .member("peak_bytes", value.peak_bytes)
        .member("output_bytes", value.output_bytes);
    if (value.gap) {
        auto gap = to.object("gap");
        gap.member("start", value.gap->start).member("end", value.gap->end);
    } else {
        to.null("gap");
    }
    write_time(to, "queued_at", value.queued_at);
    write_time(to, "started_at", value.started_at);
    write_time(to, "ended_at", value.ended_at);
}

void append_json(std::string& out, const input_written& value)
{
    object_writer to{out};
    to.member("job_id", value.job_id.str())
        .member("bytes", value.bytes)
        .member("complete", value.complete)
        .member("closed", value.closed);
    write_text(to, "why", value.why);
}

void append_json(std::string& out, const message& value)
{
    object_writer to{out};
    to.member("seq", value.seq).member("role", value.role);
    to.raw("content", value.content.empty() ? "[]" : value.content);
    to.member("epoch", value.epoch);
    write_text(to, "task_id", value.task_id.str());
    write_time(to, "created_at", value.created_at);
}

void append_json(std::string& out, const event& value)
{
    {
        object_writer to{out};
        if (value.seq != 0)
            to.member("seq", value.seq);
        write_time(to, "time", value.time);
        to.member("type", value.type);
        if (!value.session_id.empty())
            to.member("session_id", value.session_id.str());
        if (!value.task_id.empty())
            to.member("task_id", value.task_id.str());
        if (!value.job_id.empty())
            to.member("job_id", value.job_id.str());
    }
    // `body` is an object of ours: between its braces stand the members to add.
    if (value.body.size() > 2) {
        out.back() = ',';
        out.append(value.body, 1);
    }
}

void append_page_end(std::string& out, std::string_view next, base::event_seq seq)
{
    out += "],\"next\":";
    if (next.empty())
        out += "null";
    else
        json::append_string(out, next);
    out += ",\"seq\":";
    json::append_number(out, static_cast<std::uint64_t>(seq));
    out += '}';
}

void append_json(std::string& out, const problem& value)
{
    object_writer to{out};
    to.member("type", "urn:agentd:problem:" + value.name)
        .member("title", value.title)
        .member("status", value.status)
        .member("detail", value.detail)
        .member("request_id", value.request_id);
    to.member_if("field", value.field).member_if("oldest_seq", value.oldest_seq);
    if (!value.candidates.empty()) {
        auto all = to.array("candidates");
        for (const auto& id : value.candidates)
            all.item(id);
    }
}

} // namespace agentd::proto::api
