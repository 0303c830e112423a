#include "api/router.hpp"

#include <array>

namespace agentd::api {
namespace {

struct route {
    std::string_view method;
    std::string_view pattern;
    handler answer;
};

constexpr std::array routes{
    route{"POST", "/v1/tasks", submit_task},
    route{"GET", "/v1/tasks", list_tasks},
    route{"GET", "/v1/tasks/{id}", show_task},
    route{"GET", "/v1/tasks/{id}/wait", wait_for_task},
    route{"POST", "/v1/tasks/{id}/cancel", cancel_task},
    route{"POST", "/v1/tasks/{id}/messages", add_message},
    route{"GET", "/v1/sessions", list_sessions},
    route{"POST", "/v1/sessions/import", import_session},
    route{"GET", "/v1/sessions/{id}", show_session},
    route{"DELETE", "/v1/sessions/{id}", delete_session},
    route{"GET", "/v1/sessions/{id}/messages", list_messages},
    route{"GET", "/v1/sessions/{id}/export", export_session},
    route{"GET", "/v1/jobs", list_jobs},
    route{"GET", "/v1/jobs/{id}", show_job},
    route{"GET", "/v1/jobs/{id}/output", show_output},
    route{"POST", "/v1/jobs/{id}/kill", kill_job},
    route{"POST", "/v1/jobs/{id}/input", write_input},
    route{"GET", "/v1/events", show_events},
    route{"GET", "/v1/health", show_health},
    route{"GET", "/v1/info", show_info},
    route{"GET", "/metrics", show_metrics},
};

// True if `path` is one of the pattern; then `id` gets what stands for {id}.
bool fits(std::string_view pattern, const std::vector<std::string>& path, std::string& id)
{
    for (const auto& segment : path) {
        if (pattern.empty())
            return false;
        pattern.remove_prefix(1); // the slash
        const auto part = pattern.substr(0, pattern.find('/'));
        pattern.remove_prefix(part.size());
        if (part == "{id}") {
            if (segment.empty())
                return false;
            id = segment;
        } else if (part != segment) {
            return false;
        }
    }
    return pattern.empty();
}

} // namespace

match find_route(std::string_view method, const std::vector<std::string>& path)
{
    match found;
    bool literal = false; // "/v1/sessions/import" is no session of that name
    for (const auto& route : routes) {
        std::string id;
        if (!fits(route.pattern, path, id) || (literal && !id.empty()))
            continue;
        literal = literal || id.empty();
        if (!found.allow.empty())
            found.allow += ", ";
        found.allow += route.method;
        if (route.method == method) {
            found.answer = route.answer;
            found.id = std::move(id);
        }
    }
    return found;
}

} // namespace agentd::api
