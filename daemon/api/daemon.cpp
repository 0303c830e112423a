// The calls about the daemon itself: health, info, metrics; see handlers.hpp.
#include "api/handlers.hpp"
#include "proto/json/writer.hpp"

#include <fmt/format.h>

#include <iterator>

namespace agentd::api {
namespace {

using proto::json::object_writer;

void write_counts(object_writer& to, const session::counts& now, std::size_t connections)
{
    auto counts = to.object("counts");
    counts.member("sessions", now.sessions).member("live_sessions", now.live_sessions);
    counts.member("tasks_queued", now.tasks_queued)
        .member("tasks_running", now.tasks_running)
        .member("tasks_waiting", now.tasks_waiting);
    counts.member("jobs_queued", now.jobs_queued).member("jobs_running", now.jobs_running);
    counts.member("connections", connections);
}

std::string info_json(const daemon_info& info, const session::counts& now, std::size_t connections)
{
    std::string body;
    object_writer to{body};
    to.member("name", "agentd")
        .member("version", info.version)
        .member("boot_id", info.boot_id)
        .member("pid", info.pid)
        .member("uid", info.uid)
        .member("started_at", base::to_rfc3339(info.started_at))
        .member("state_dir", info.state_dir);
    if (info.config_file.empty())
        to.null("config_file");
    else
        to.member("config_file", info.config_file);
    to.member("threads", info.threads).member("shared", info.shared).member("model", info.model);
    {
        auto roots = to.array("workspace_roots");
        for (const auto& root : info.workspace_roots)
            roots.item(root);
    }
    {
        auto reasons = to.array("degraded");
        for (const auto& reason : info.degraded)
            reasons.item(reason);
    }
    {
        auto supervision = to.object("supervision");
        const auto& how = info.supervision;
        supervision.member("means", how.means).member("reason", how.reason);
        if (how.path.empty())
            supervision.null("path");
        else
            supervision.member("path", how.path);
        supervision.member("watcher", how.watcher);
        auto controllers = supervision.array("controllers");
        for (const auto& name : how.controllers)
            controllers.item(name);
    }
    {
        auto bounds = to.object("limits");
        for (const auto& [key, value] : info.limits)
            bounds.member(key, value);
    }
    write_counts(to, now, connections);
    to.member("seq", now.newest_seq);
    to.close();
    return body;
}

class metrics {
public:
    void family(std::string_view name, std::string_view type, std::string_view help)
    {
        fmt::format_to(
            std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
        name_ = name;
    }
    template <class Number>
    void value(std::string_view labels, Number number)
    {
        fmt::format_to(std::back_inserter(text_), "{}{} {}\n", name_, labels, number);
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    std::string text_;
    std::string_view name_;
};

std::string metrics_text(const exchange& x, const session::counts& now)
{
    const auto info = x.all.from.status->info();
    metrics out;
    out.family("agentd_info", "gauge", "The daemon's version.");
    out.value(fmt::format("{{version=\"{}\"}}", info.version), 1);
    out.family("agentd_degraded", "gauge", "1 while not everything works; /v1/health says what.");
    out.value("", x.all.from.status->degraded().empty() ? 0 : 1);
    out.family("agentd_sessions", "gauge", "Sessions in the state.");
    out.value("", now.sessions);
    out.family("agentd_live_sessions", "gauge", "Sessions with a coroutine.");
    out.value("", now.live_sessions);
    out.family("agentd_tasks", "gauge", "Open tasks by state.");
    out.value("{state=\"queued\"}", now.tasks_queued);
    out.value("{state=\"running\"}", now.tasks_running);
    out.value("{state=\"waiting\"}", now.tasks_waiting);
    out.family("agentd_jobs", "gauge", "Live jobs by state.");
    out.value("{state=\"queued\"}", now.jobs_queued);
    out.value("{state=\"running\"}", now.jobs_running);
    out.family("agentd_events_total", "counter", "The newest event's seq.");
    out.value("", now.newest_seq);
    out.family("agentd_api_connections", "gauge", "Connections to the local API.");
    out.value("", x.all.clients.connections());
    out.family("agentd_api_answers_total", "counter", "Answers of the local API by class.");
    for (std::size_t group = 2; group <= 5; ++group)
        out.value(fmt::format("{{class=\"{}xx\"}}", group), x.all.clients.answers(group));
    return out.take();
}

} // namespace

aio::awaitable<response> show_health(exchange& x)
{
    parameters in{x.asked};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    const auto reasons = x.all.from.status->degraded();
    std::string_view state = reasons.empty() ? "ok" : "degraded";
    if (x.all.draining)
        state = "draining";
    std::string body;
    object_writer to{body};
    to.member("status", state);
    {
        auto all = to.array("reasons");
        for (const auto& reason : reasons)
            all.item(reason);
    }
    to.close();
    co_return response{200, std::move(body)};
}

aio::awaitable<response> show_info(exchange& x)
{
    parameters in{x.asked};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto now = co_await x.service().count();
    if (!now)
        co_return x.problem(now.error());
    const auto info = x.all.from.status->info();
    co_return response{200, info_json(info, *now, x.all.clients.connections())};
}

aio::awaitable<response> show_metrics(exchange& x)
{
    parameters in{x.asked};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto now = co_await x.service().count();
    if (!now)
        co_return x.problem(now.error());
    response answer{200, metrics_text(x, *now)};
    answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
    co_return answer;
}

} // namespace agentd::api
