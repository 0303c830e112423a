#include "app/config_keys.hpp"

#include "base/bound_limits.hpp"
#include "model/proxy.hpp"
#include "tools/command_environment.hpp"
#include "tools/policy.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>

#include <algorithm>

namespace agentd::app {
namespace {

constexpr std::int64_t million = 1'000'000;
constexpr std::int64_t tebibyte = std::int64_t{1} << 40;

template <class Duration>
void duration(key_visitor& by, std::string_view section, std::string_view name, Duration& value,
    std::int64_t least, std::int64_t most)
{
    std::int64_t count = value.count();
    by.integer(section, name, count, least, most);
    value = Duration{count};
}

std::string filled(const std::string& text)
{
    return text.empty() ? "must not be empty" : "";
}

std::string absolute_path(const std::string& path)
{
    return path.starts_with('/') ? "" : "must be an absolute path";
}

std::string absolute_or_none(const std::string& path)
{
    return path.empty() ? "" : absolute_path(path);
}

std::string one_of(const std::string& text, std::initializer_list<std::string_view> choices)
{
    if (std::ranges::find(choices, text) != choices.end())
        return {};
    return fmt::format("must be one of {}", fmt::join(choices, ", "));
}

std::string leftovers(const std::string& text)
{
    return one_of(text, {"kill", "keep"});
}

std::string cgroup(const std::string& text)
{
    return text == "auto" || text == "off" || text.starts_with('/')
        ? ""
        : "must be auto, off or an absolute path";
}

std::string level(const std::string& text)
{
    return one_of(text, {"error", "warning", "info", "debug"});
}

std::string format_name(const std::string& text)
{
    return one_of(text, {"auto", "json", "journal"});
}

// 127.0.0.0/8 by its numbers: a name may begin with "127.", too.
bool is_loopback_address(std::string_view host)
{
    in_addr address{};
    return ::inet_pton(AF_INET, std::string{host}.c_str(), &address) == 1 &&
        ntohl(address.s_addr) >> 24 == 127;
}

std::string base_url(const std::string& url)
{
    return refused_url(url, true);
}

// "", none, or where a proxy is; the reason never quotes it.
std::string proxy(const std::string& text)
{
    if (text.empty() || text == "none")
        return {};
    const auto read = model::parse_proxy(text);
    return read ? std::string{} : read.error().text;
}

std::string host(const std::string& text)
{
    return text.empty() || text.find_first_of(", \t") != std::string::npos
        ? "must hold one host each"
        : "";
}

// The name of a variable that commands may get, or NAME* for all that begin so.
std::string variable(const std::string& name)
{
    const auto is_letter = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    };
    const auto word = std::string_view{name}.substr(0, name.size() - (name.ends_with('*') ? 1 : 0));
    const bool formed = !word.empty() && is_letter(word.front()) &&
        std::ranges::all_of(
            word, [&is_letter](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
    if (!formed)
        return "must be names of environment variables";
    if (!tools::command_environment::may_pass(word))
        return fmt::format("must not name {}: commands never see it", name);
    return {};
}

std::string deny(const std::string& pattern)
{
    const std::vector<std::string> one{pattern};
    const auto read = tools::policy::from(one);
    return read ? std::string{} : read.error().text;
}

void visit_model(config& all, key_visitor& by)
{
    constexpr std::string_view s = "model";
    auto& m = all.model;
    by.text(s, "name", m.name, filled);
    by.text(s, "base_url", m.base_url, base_url);
    by.text(s, "ca_file", m.ca_file, absolute_or_none);
    by.address(s, "proxy", m.proxy, proxy);
    by.texts(s, "no_proxy", m.no_proxy, host);
    by.text(s, "api_key_file", m.api_key_file, absolute_or_none);
    by.integer(s, "max_tokens", m.max_tokens, 1, million);
    by.text(s, "version", m.version, filled);
    duration(by, s, "connect_timeout_s", m.connect_timeout, 1, 600);
    duration(by, s, "tls_timeout_s", m.tls_timeout, 1, 600);
    duration(by, s, "send_timeout_s", m.send_timeout, 1, 86'400);
    duration(by, s, "first_byte_timeout_s", m.first_byte_timeout, 1, 86'400);
    duration(by, s, "idle_timeout_s", m.idle_timeout, 1, 86'400);
    duration(by, s, "total_timeout_s", m.total_timeout, 0, 86'400);
    duration(by, s, "keep_connections_s", m.keep_connections, 0, 3600);
    duration(by, s, "retry_for_s", m.retry_for, 0, 86'400);
    by.integer(s, "retry_attempts", m.retry_attempts, -1, 1000);
    by.texts(s, "fallback", m.fallback, filled);
    by.integer(s, "context_window", m.context_window, 0, 100 * million);
    by.number(s, "compact_at", m.compact_at, 0, 1);
    by.prices(s, "price", m.price);
}

void visit_jobs(config& all, key_visitor& by)
{
    constexpr std::string_view s = "jobs";
    auto& j = all.jobs;
    const auto longest = std::chrono::seconds{limits::job_timeout_longest}.count();
    by.integer(s, "per_session", j.per_session, 1, 10'000);
    by.integer(s, "per_daemon", j.per_daemon, 1, 10'000);
    duration(by, s, "timeout_s", j.timeout, 0, longest);
    duration(by, s, "grace_s", j.grace, 0, 45); // a stop has to fit into limits::stop_deadline
    duration(by, s, "stall_s", j.stall, 0, 86'400);
    by.text(s, "leftovers", j.leftovers, leftovers);
    by.text(s, "cgroup", j.cgroup, cgroup);
    duration(by, s, "cpu_s", j.cpu, 0, longest);
    by.integer(s, "memory_bytes", j.memory_bytes, 0, limits::most_memory);
    by.integer(s, "processes", j.processes, 0, limits::most_processes);
    by.integer(s, "max_output_bytes", j.max_output_bytes, 0, limits::most_written);
    by.integer(s, "file_bytes", j.file_bytes, 0, limits::most_written);
    duration(by, s, "session_cpu_s", j.session_cpu, 0, 12 * longest);
    duration(by, s, "session_wall_s", j.session_wall, 0, 12 * longest);
    by.integer(s, "session_output_bytes", j.session_output_bytes, 0, limits::most_written);
    by.integer(s, "session_log_bytes", j.session_log_bytes, 0, 1024 * tebibyte);
    by.integer(s, "session_memory_bytes", j.session_memory_bytes, 0, limits::most_memory);
    by.integer(s, "session_processes", j.session_processes, 0, limits::most_processes);
    by.texts(s, "pass_env", j.pass_env, variable);
    by.integer(s, "output_bytes", j.output_bytes, 4096, tebibyte);
    by.integer(s, "spool_bytes", j.spool_bytes, 4096, 1024 * tebibyte);
}

} // namespace

void visit_keys(config& all, key_visitor& by)
{
    by.integer("", "threads", all.threads, 1, 64);
    by.boolean("", "shared", all.shared);
    duration(by, "", "wake_window_ms", all.wake_window, 0, 60'000);
    visit_model(all, by);
    by.integer("limits", "running_tasks", all.limits.running_tasks, 1, 100'000);
    by.integer("limits", "queued_tasks", all.limits.queued_tasks, 1, million);
    by.integer("limits", "sessions", all.limits.sessions, 1, 10 * million);
    by.integer("limits", "connections", all.limits.connections, 1, 65'536);
    by.number("limits", "session_budget_usd", all.limits.session_budget_usd, 0, 1e9);
    by.integer("limits", "session_tokens", all.limits.session_tokens, 0, million * million);
    visit_jobs(all, by);
    by.texts("policy", "deny", all.policy.deny, deny);
    by.texts("workspace", "roots", all.workspace.roots, absolute_path);
    by.integer("retention", "events_days", all.retention.events_days, 1, 36'500);
    by.integer("retention", "events_count", all.retention.events_count, 100, million * million);
    by.integer("retention", "job_logs_bytes", all.retention.job_logs_bytes, 0, 1024 * tebibyte);
    by.text("log", "level", all.log.level, level);
    by.text("log", "file", all.log.file, absolute_or_none);
    by.text("log", "format", all.log.format, format_name);
}

std::string refused_url(const std::string& url, bool anywhere)
{
    const bool plain = url.starts_with("http://");
    if (!plain && !url.starts_with("https://"))
        return "must begin with https:// (or http://)";
    auto host = std::string_view{url}.substr(url.find("://") + 3);
    host = host.substr(0, host.find('/'));
    if (host.find('@') != std::string_view::npos)
        return "must not hold a user or password";
    host =
        host.starts_with('[') ? host.substr(0, host.find(']') + 1) : host.substr(0, host.find(':'));
    if (host.empty())
        return "must name a host";
    const bool loopback = host == "localhost" || host == "[::1]" || is_loopback_address(host);
    if (plain && !loopback && !anywhere)
        return "must be https:// (plain http goes to loopback alone)";
    return {};
}

} // namespace agentd::app
