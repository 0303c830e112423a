#include "app/status_report.hpp"

#include <unistd.h>

#include <fstream>

namespace agentd::app {
namespace {

std::string read_boot_id()
{
    std::ifstream file{"/proc/sys/kernel/random/boot_id"};
    std::string id;
    std::getline(file, id);
    return id;
}

} // namespace

status_report::status_report(const startup& from, const model::client& model,
    const store::store& db, const session::current_settings& now)
    : model_(model), db_(db), now_(now)
{
    const auto& all = from.config;
    fixed_.version = AGENTD_VERSION;
    fixed_.boot_id = read_boot_id();
    fixed_.pid = ::getpid();
    fixed_.uid = ::geteuid();
    fixed_.started_at = base::wall_now();
    fixed_.state_dir = from.state_dir;
    fixed_.config_file = from.config_file;
    fixed_.threads = static_cast<unsigned>(all.threads);
    fixed_.shared = all.shared;
    fixed_.workspace_roots = all.workspace.roots;
    fixed_.supervision.watcher = from.watcher != 0;
    fixed_.limits = {
        {"running_tasks", all.limits.running_tasks},
        {"queued_tasks", all.limits.queued_tasks},
        {"sessions", all.limits.sessions},
        {"connections", all.limits.connections},
        {"jobs_per_session", all.jobs.per_session},
        {"jobs_per_daemon", all.jobs.per_daemon},
    };
}

api::daemon_info status_report::info() const
{
    auto out = fixed_;
    out.model = now_.get()->model;
    out.degraded = degraded();
    return out;
}

std::vector<std::string> status_report::degraded() const
{
    std::vector<std::string> reasons;
    {
        const std::lock_guard lock{changing_};
        if (!key_problem_.empty())
            reasons.push_back(key_problem_);
    }
    if (auto why = model_.degraded(); !why.empty() && reasons.empty())
        reasons.push_back(std::move(why));
    if (auto why = db_.degraded(); !why.empty())
        reasons.push_back(std::move(why));
    return reasons;
}

void status_report::set_supervision(const jobs::supervision& means)
{
    auto& shown = fixed_.supervision;
    shown.means = means.means;
    shown.reason = means.reason;
    shown.path = means.path;
    shown.controllers = means.controllers;
}

void status_report::set_key_problem(std::string why)
{
    const std::lock_guard lock{changing_};
    key_problem_ = std::move(why);
}

} // namespace agentd::app
