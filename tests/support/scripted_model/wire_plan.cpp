// See wire_plan.hpp.
#include "wire_plan.hpp"

#include "message_text.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>

namespace agentd::testing {

namespace json = boost::json;

namespace {

using headers_of = std::vector<std::pair<std::string, std::string>>;

bool same_name(std::string_view a, std::string_view b)
{
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::ranges::equal(a, b, {}, lower, lower);
}

std::string head_of(int status, const headers_of& usual, const headers_of& extra)
{
    std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
    head.append(reason_phrase(status)).append("\r\n");
    auto line = [&head](const std::string& name, const std::string& value) {
        head.append(name).append(": ").append(value).append("\r\n");
    };
    for (const auto& [name, value] : usual) {
        auto replaces = [&name](const auto& other) { return same_name(other.first, name); };
        if (std::ranges::none_of(extra, replaces))
            line(name, value);
    }
    for (const auto& [name, value] : extra)
        line(name, value);
    return head.append("\r\n");
}

headers_of filled(const headers_of& headers, const variables& known)
{
    headers_of out;
    for (const auto& [name, value] : headers)
        out.emplace_back(name, substituted(std::string_view{value}, known));
    return out;
}

wire_plan plan_stream(int status, std::vector<std::string> events, std::string_view request_id,
    const headers_of& extra)
{
    wire_plan plan;
    plan.status = status;
    plan.chunked = true;
    plan.is_stream = true;
    plan.pieces = std::move(events);
    headers_of usual;
    usual.emplace_back("content-type", "text/event-stream; charset=utf-8");
    usual.emplace_back("cache-control", "no-cache");
    usual.emplace_back("request-id", request_id);
    usual.emplace_back("transfer-encoding", "chunked");
    plan.head = head_of(status, usual, extra);
    return plan;
}

std::vector<std::string> raw_events(const json::array& events, const variables& known)
{
    std::vector<std::string> out;
    for (const auto& item : events) {
        auto filled_in = substituted(item, known);
        if (const auto* text = filled_in.if_string()) {
            out.emplace_back(*text);
        } else if (const auto* event = filled_in.if_object()) {
            const auto* data = event->if_contains("data");
            std::string bytes;
            if (data != nullptr)
                bytes =
                    data->is_string() ? std::string{data->get_string()} : json::serialize(*data);
            out.push_back(sse_event(text_field(*event, "event"), bytes));
        }
    }
    return out;
}

wire_plan plan_plain(const reply& from, const variables& known, std::string_view request_id)
{
    auto extra = filled(from.headers, known);
    if (from.body)
        return plan_body(from.status, "application/json",
            substituted(std::string_view{*from.body}, known), request_id, extra);
    json::object error;
    error.emplace("type", error_type_of(from.status));
    error.emplace("message", "scripted status " + std::to_string(from.status));
    for (const auto& member : from.error)
        error.insert_or_assign(member.key(), substituted(member.value(), known));
    json::object body;
    body.emplace("type", "error");
    body.emplace("error", std::move(error));
    body.emplace("request_id", request_id);
    return plan_body(from.status, "application/json", json::serialize(body), request_id, extra);
}

wire_plan plan_raw(const reply& from, const variables& known)
{
    wire_plan plan;
    plan.status = 0;
    plan.is_stream = true;
    for (const auto& bytes : from.raw)
        plan.pieces.push_back(substituted(std::string_view{bytes}, known));
    return plan;
}

void plan_message(const reply& from, const variables& known, const reply_context& context,
    id_source& ids, planned_reply& out)
{
    out.message = make_message(from, known, context.model, context.input_bytes, ids);
    auto extra = filled(from.headers, known);
    if (context.stream && !from.as_json)
        out.wire = plan_stream(from.status, stream_events(*out.message), context.request_id, extra);
    else
        out.wire = plan_body(from.status, "application/json", whole_message(*out.message),
            context.request_id, extra);
}

bool says_close(const headers_of& headers)
{
    return std::ranges::any_of(headers, [](const auto& header) {
        return same_name(header.first, "connection") && same_name(header.second, "close");
    });
}

} // namespace

planned_reply plan_reply(
    const reply& from, const variables& known, const reply_context& context, id_source& ids)
{
    planned_reply out;
    auto with_close = from;
    if (from.timing.close_after)
        with_close.headers.emplace_back("connection", "close");
    switch (from.is) {
    case reply::form::content: plan_message(with_close, known, context, ids, out); break;
    case reply::form::events:
        out.wire = plan_stream(from.status, raw_events(from.events, known), context.request_id,
            filled(with_close.headers, known));
        break;
    case reply::form::raw: out.wire = plan_raw(from, known); break;
    case reply::form::plain: out.wire = plan_plain(with_close, known, context.request_id); break;
    }
    out.wire.timing = from.timing;
    out.wire.timing.hold = substituted(std::string_view{from.timing.hold}, known);
    out.wire.closes = from.timing.close_after || says_close(from.headers);
    return out;
}

wire_plan plan_body(int status, std::string_view content_type, std::string body,
    std::string_view request_id, const headers_of& extra)
{
    wire_plan plan;
    plan.status = status;
    headers_of usual;
    usual.emplace_back("content-type", content_type);
    if (!request_id.empty())
        usual.emplace_back("request-id", request_id);
    usual.emplace_back("content-length", std::to_string(body.size()));
    plan.head = head_of(status, usual, extra);
    if (!body.empty())
        plan.pieces.push_back(std::move(body));
    return plan;
}

wire_plan plan_error(const api_error& what, std::string_view request_id)
{
    return plan_body(what.status, "application/json", error_body(what, request_id), request_id);
}

} // namespace agentd::testing
