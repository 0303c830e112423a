#include "api/problem.hpp"

#include "api/errc.hpp"
#include "base/log.hpp"
#include "proto/api/parse.hpp"
#include "session/service.hpp"

#include <algorithm>
#include <array>

namespace agentd::api {
namespace {

struct row {
    std::error_code code;
    problem_type type;
};

// A full queue is emptied in seconds, a stopping daemon comes back in a few.
constexpr std::string_view retry_after_s{"5"};

// long: one table
const auto& table()
{
    using of = session::errc;
    using form = proto::api::errc;
    static const std::array rows{
        row{form::malformed, {"malformed_json", 400, "The body is not a JSON object"}},
        row{form::too_large, {"too_large", 413, "The request is too large"}},
        row{form::invalid_field, {"invalid_field", 422, "A field is not valid"}},
        row{errc::bad_http, {"malformed_http", 400, "The request is not valid HTTP"}},
        row{errc::bad_target, {"malformed_http", 400, "The request is not valid HTTP"}},
        row{errc::invalid_parameter, {"invalid_parameter", 400, "A parameter is not valid"}},
        row{errc::cursor_ahead, {"cursor_ahead", 400, "The cursor is ahead of the history"}},
        row{errc::request_timeout, {"request_timeout", 408, "The request came too slowly"}},
        row{errc::events_gone, {"events_gone", 410, "These events are not kept any more"}},
        row{errc::body_too_large, {"too_large", 413, "The request is too large"}},
        row{errc::expectation_failed, {"expectation_failed", 417, "The expectation fails"}},
        row{errc::header_too_large, {"header_too_large", 431, "The request's head is too large"}},
        row{of::bad_id, {"bad_id", 400, "This is no id"}},
        row{of::workspace_denied, {"workspace_denied", 403, "The workspace is not yours to use"}},
        row{of::not_found, {"not_found", 404, "There is no such thing"}},
        row{of::ambiguous_id, {"ambiguous_id", 409, "Several ids begin so"}},
        row{of::task_ended, {"task_ended", 409, "The task has ended"}},
        row{of::session_busy, {"session_busy", 409, "The session is in use"}},
        row{of::no_input, {"no_input", 409, "The job takes no input"}},
        row{of::line_too_long, {"line_too_long", 422, "The line is too long for a terminal"}},
        row{of::gone, {"output_gone", 410, "The output is not kept any more"}},
        row{of::invalid_field, {"invalid_field", 422, "A field is not valid"}},
        row{of::key_reused, {"key_reused", 422, "The key belongs to another request"}},
        row{of::too_many_tasks, {"too_many_tasks", 429, "Too many tasks wait"}},
        row{of::too_many_messages, {"too_many_messages", 429, "Too many messages wait"}},
        row{of::too_many_sessions, {"too_many_sessions", 429, "Too many sessions"}},
        row{of::draining, problems::draining},
        row{of::storage_failed, {"storage_failed", 503, "The state cannot be written"}},
        row{of::storage_full, {"storage_full", 507, "The disk is full"}},
    };
    return rows;
}

// The ids that an ambiguous prefix could mean stand in the error's text.
std::vector<std::string> ids_in(std::string_view text)
{
    constexpr std::string_view letters{"abcdefghijklmnopqrstuvwxyz0123456789_"};
    std::vector<std::string> found;
    while (!text.empty()) {
        const auto end = std::min(text.find_first_not_of(letters), text.size());
        const auto word = text.substr(0, end);
        const bool named = word.size() == 12 && (word.starts_with("t_") || word.starts_with("s_"));
        const bool job = word.size() == 8 &&
            word.find_first_not_of("0123456789abcdef") == std::string_view::npos;
        if (named || job)
            found.emplace_back(word);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return found;
}

} // namespace

problem_type type_of(const base::error& why)
{
    for (const auto& [code, type] : table()) {
        if (why.code == code)
            return type;
    }
    return problems::internal;
}

response problem_response(const proto::api::problem& what)
{
    response out{what.status, proto::api::to_json(what)};
    out.content_type = "application/problem+json";
    if (what.status == 429 || what.status == 503)
        out.fields.emplace_back("Retry-After", retry_after_s);
    return out;
}

response problem_response(
    const problem_type& type, std::string detail, const std::string& request_id)
{
    proto::api::problem what;
    what.name = type.name;
    what.title = type.title;
    what.status = type.status;
    what.detail = std::move(detail);
    what.request_id = request_id;
    return problem_response(what);
}

response problem_response(const base::error& why, const std::string& request_id)
{
    const auto type = type_of(why);
    proto::api::problem what;
    what.name = type.name;
    what.title = type.title;
    what.status = type.status;
    what.detail = why.text;
    what.request_id = request_id;
    if (const auto field = proto::api::field_named_in(why.text); !field.empty())
        what.field = std::string{field};
    if (why.is(session::errc::ambiguous_id))
        what.candidates = ids_in(why.text);
    if (type.status == problems::internal.status) {
        log::error("api.failed", {}, "request {}: {}", request_id, why.text);
        what.detail = "an error of the daemon; its log has it under the request id";
    }
    return problem_response(what);
}

} // namespace agentd::api
