// The objects of the API read back from JSON, for agentctl; see json.hpp.
#include "proto/api/json.hpp"
#include "proto/api/members.hpp"

namespace agentd::proto::api {
namespace {

using json::value;

usage usage_in(members& in)
{
    usage sum;
    if (const value* found = in.child("usage")) {
        members parts{*found};
        sum.input = parts.integer("input");
        sum.output = parts.integer("output");
        sum.cache_read = parts.integer("cache_read");
        sum.cache_write = parts.integer("cache_write");
    }
    return sum;
}

std::optional<task_error> error_in(members& in)
{
    const value* found = in.child("error");
    if (found == nullptr)
        return std::nullopt;
    members parts{*found};
    return task_error{
        .type = parts.text("type"),
        .message = parts.text("message"),
        .status = parts.maybe_integer<int>("status"),
        .request_id = parts.text("request_id"),
    };
}

labels labels_in(members& in)
{
    labels all;
    if (const value* found = in.child("labels")) {
        for (const auto& [key, value] : found->members()) {
            if (const std::string* text = value.as_string())
                all.emplace(key, *text);
        }
    }
    return all;
}

template <class T>
base::result<T> read_one(std::string_view bytes, base::result<T> (*from)(const value&))
{
    const auto document = json::parse(bytes);
    if (!document)
        return std::unexpected(document.error());
    return from(document->root());
}

template <class T>
base::result<page_of<T>> read_page(std::string_view bytes, base::result<T> (*from)(const value&))
{
    const auto document = json::parse(bytes);
    if (!document)
        return std::unexpected(document.error());
    members in{document->root()};
    page_of<T> page;
    page.next = in.text("next");
    page.seq = in.integer<base::event_seq>("seq");
    const value* items = in.child("items");
    if (items == nullptr || !items->is(json::kind::array))
        return std::unexpected(base::error{json::errc::wrong_type, "field \"items\": is missing"});
    for (const value& item : items->items()) {
        auto one = from(item);
        if (!one)
            return std::unexpected(std::move(one.error()));
        page.items.push_back(std::move(*one));
    }
    return in.give(std::move(page));
}

base::result<problem> problem_from(const value& from)
{
    members in{from};
    problem what;
    const std::string type = in.text("type");
    what.name = type.substr(type.rfind(':') + 1);
    what.title = in.text("title");
    what.status = in.integer<int>("status");
    what.detail = in.text("detail");
    what.request_id = in.text("request_id");
    what.field = in.maybe_text("field");
    what.oldest_seq = in.maybe_integer<base::event_seq>("oldest_seq");
    if (const value* all = in.child("candidates")) {
        for (const value& item : all->items()) {
            if (const std::string* id = item.as_string())
                what.candidates.push_back(*id);
        }
    }
    return in.give(std::move(what));
}

} // namespace

base::result<task> task_from(const value& from)
{
    members in{from};
    task what;
    what.id = base::task_id{in.required_text("id")};
    what.session_id = base::session_id{in.text("session_id")};
    what.owner_uid = in.integer<std::uint32_t>("owner_uid");
    what.state = in.choice("state", task_state_from);
    what.prompt = in.text("prompt");
    what.result = in.maybe_text("result");
    what.result_turn = in.maybe_integer("result_turn");
    what.error = error_in(in);
    what.stop_reason = in.text("stop_reason");
    what.model = in.text("model");
    what.labels = labels_in(in);
    what.priority = in.integer<int>("priority");
    what.jobs_at_end = in.choice("jobs_at_end", jobs_at_end_from);
    what.cancel_requested = in.truth("cancel_requested");
    what.turns = in.integer("turns");
    what.usage = usage_in(in);
    what.cost_usd = in.number("cost_usd");
    what.created_at = in.time("created_at").value_or(base::wall_time{});
    what.started_at = in.time("started_at");
    what.ended_at = in.time("ended_at");
    return in.give(std::move(what));
}

base::result<session> session_from(const value& from)
{
    members in{from};
    session what;
    what.id = base::session_id{in.required_text("id")};
    what.state = in.choice("state", session_state_from);
    what.model = in.text("model");
    what.workdir = in.text("workdir");
    what.epoch = in.integer("epoch");
    what.messages = in.integer("messages");
    what.usage = usage_in(in);
    what.cost_usd = in.number("cost_usd");
    what.created_at = in.time("created_at").value_or(base::wall_time{});
    what.updated_at = in.time("updated_at").value_or(base::wall_time{});
    return in.give(std::move(what));
}

base::result<job> job_from(const value& from)
{
    members in{from};
    job what;
    what.id = base::job_id{in.required_text("id")};
    what.session_id = base::session_id{in.text("session_id")};
    what.task_id = base::task_id{in.text("task_id")};
    what.command = in.text("command");
    what.state = in.choice("state", job_state_from);
    what.by = in.text("by");
    what.reason = in.text("reason");
    what.exit_code = in.maybe_integer<int>("exit_code");
    what.signal = in.maybe_integer<int>("signal");
    what.oom = in.truth("oom");
    what.wall_ms = in.maybe_integer("wall_ms");
    what.cpu_ms = in.maybe_integer("cpu_ms");
    what.peak_bytes = in.maybe_integer("peak_bytes");
    what.output_bytes = in.integer<std::uint64_t>("output_bytes");
    if (const value* gap = in.child("gap")) {
        members parts{*gap};
        what.gap =
            byte_gap{parts.integer<std::uint64_t>("start"), parts.integer<std::uint64_t>("end")};
    }
    what.queued_at = in.time("queued_at").value_or(base::wall_time{});
    what.started_at = in.time("started_at");
    what.ended_at = in.time("ended_at");
    return in.give(std::move(what));
}

base::result<input_written> input_written_from(const value& from)
{
    members in{from};
    input_written what;
    what.job_id = base::job_id{in.required_text("job_id")};
    what.bytes = in.integer<std::uint64_t>("bytes");
    what.complete = in.truth("complete");
    what.closed = in.truth("closed");
    what.why = in.text("why");
    return in.give(std::move(what));
}

base::result<message> message_from(const value& from)
{
    members in{from};
    message what;
    what.seq = in.integer("seq");
    what.role = in.required_text("role");
    if (const value* content = in.child("content"))
        what.content = content->raw();
    what.epoch = in.integer("epoch");
    what.task_id = base::task_id{in.text("task_id")};
    what.created_at = in.time("created_at").value_or(base::wall_time{});
    return in.give(std::move(what));
}

base::result<event> event_from(const value& from)
{
    members in{from};
    event what;
    what.seq = in.integer<base::event_seq>("seq");
    what.time = in.time("time").value_or(base::wall_time{});
    what.type = in.required_text("type");
    what.session_id = base::session_id{in.text("session_id")};
    what.task_id = base::task_id{in.text("task_id")};
    what.job_id = base::job_id{in.text("job_id")};
    what.body = from.raw();
    return in.give(std::move(what));
}

base::result<task> read_task(std::string_view bytes)
{
    return read_one(bytes, task_from);
}

base::result<session> read_session(std::string_view bytes)
{
    return read_one(bytes, session_from);
}

base::result<job> read_job(std::string_view bytes)
{
    return read_one(bytes, job_from);
}

base::result<event> read_event(std::string_view bytes)
{
    return read_one(bytes, event_from);
}

base::result<problem> read_problem(std::string_view bytes)
{
    return read_one(bytes, problem_from);
}

base::result<page_of<task>> read_task_page(std::string_view bytes)
{
    return read_page(bytes, task_from);
}

base::result<page_of<session>> read_session_page(std::string_view bytes)
{
    return read_page(bytes, session_from);
}

base::result<page_of<job>> read_job_page(std::string_view bytes)
{
    return read_page(bytes, job_from);
}

base::result<page_of<message>> read_message_page(std::string_view bytes)
{
    return read_page(bytes, message_from);
}

} // namespace agentd::proto::api
