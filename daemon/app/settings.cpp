#include "app/settings.hpp"

#include <unistd.h>

namespace agentd::app {

jobs::options job_options(const config& all, const startup& from)
{
    const auto size = [](std::int64_t bytes) { return static_cast<std::size_t>(bytes); };
    jobs::options out;
    out.spool.folder = from.state_dir + "/jobs";
    out.spool.job_bytes = size(all.jobs.output_bytes);
    out.spool.total_bytes = size(all.jobs.spool_bytes);
    out.spool.ended_bytes = size(all.retention.job_logs_bytes);
    out.spool.session_bytes = size(all.jobs.session_log_bytes);
    out.job_caps.per_session = size(all.jobs.per_session);
    out.job_caps.per_daemon = size(all.jobs.per_daemon);
    out.grace = all.jobs.grace;
    out.stall = all.jobs.stall;
    out.left_behind = all.jobs.leftovers == "keep" ? jobs::leftovers::keep : jobs::leftovers::kill;
    out.descriptor_limit = from.soft_descriptors;
    out.cgroup = all.jobs.cgroup;
    out.companion = from.watcher;
    out.most.cpu = all.jobs.cpu;
    out.most.memory_bytes = all.jobs.memory_bytes;
    out.most.processes = all.jobs.processes;
    out.most.output_bytes = all.jobs.max_output_bytes;
    out.most.file_bytes = all.jobs.file_bytes;
    out.session_most.cpu = all.jobs.session_cpu;
    out.session_wall = all.jobs.session_wall;
    out.session_most.output_bytes = all.jobs.session_output_bytes;
    out.session_most.memory_bytes = all.jobs.session_memory_bytes;
    out.session_most.processes = all.jobs.session_processes;
    return out;
}

store::retention_rules retention_rules(const config& all)
{
    return {std::chrono::hours{24 * all.retention.events_days}, all.retention.events_count};
}

session::settings session_settings(const config& all, const startup& from)
{
    session::settings out;
    out.model = all.model.name;
    out.max_tokens = all.model.max_tokens;
    out.context_window = all.model.context_window;
    out.compact_at = all.model.compact_at;
    for (const auto& [model, p] : all.model.price)
        out.prices.emplace(model, session::price{p.input, p.output, p.cache_read, p.cache_write});
    out.wake_window = all.wake_window;
    out.queued_tasks = static_cast<std::size_t>(all.limits.queued_tasks);
    out.sessions = all.limits.sessions;
    out.session_tokens = all.limits.session_tokens;
    out.session_budget_usd = all.limits.session_budget_usd;
    out.job_timeout = all.jobs.timeout;
    out.shared = all.shared;
    out.roots = all.workspace.roots;
    out.workspaces = from.state_dir + "/workspaces";
    out.own_uid = ::geteuid();
    return out;
}

api::options api_options(const config& all, std::optional<std::uint32_t> group)
{
    api::options out;
    out.own_uid = ::geteuid();
    out.shared = all.shared;
    out.group = group;
    out.connections = static_cast<std::size_t>(all.limits.connections);
    return out;
}

} // namespace agentd::app
