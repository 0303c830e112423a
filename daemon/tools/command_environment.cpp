#include "tools/command_environment.hpp"

#include <fmt/format.h>

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace agentd::tools {
namespace {

constexpr std::array<std::string_view, 9> passed{
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "LC_*"};

// Of the service manager, and the daemon's own ways to its model.
constexpr std::array<std::string_view, 13> never{"AGENTD_*", "ANTHROPIC_*", "CREDENTIALS_DIRECTORY",
    "NOTIFY_SOCKET", "LISTEN_*", "WATCHDOG_*", "JOURNAL_STREAM", "INVOCATION_ID", "STATE_DIRECTORY",
    "RUNTIME_DIRECTORY", "CONFIGURATION_DIRECTORY", "LOGS_DIRECTORY", "CACHE_DIRECTORY"};

bool fits(std::string_view pattern, std::string_view name)
{
    if (pattern.ends_with('*'))
        return name.starts_with(pattern.substr(0, pattern.size() - 1));
    return name == pattern;
}

template <class Patterns>
bool any_fits(const Patterns& patterns, std::string_view name)
{
    return std::ranges::any_of(
        patterns, [name](std::string_view pattern) { return fits(pattern, name); });
}

} // namespace

user_record current_user()
{
    const uid_t uid = ::geteuid();
    std::vector<char> buffer(16U << 10);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return {std::to_string(uid), "/", "/bin/sh"};
    return {entry.pw_name, entry.pw_dir, entry.pw_shell};
}

std::vector<std::string> own_environment()
{
    std::vector<std::string> all;
    for (char** each = ::environ; each != nullptr && *each != nullptr; ++each)
        all.emplace_back(*each);
    return all;
}

command_environment::command_environment(
    std::span<const std::string> own, const user_record& user, std::span<const std::string> pass)
    : base_{{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
          {"HOME", user.home}, {"USER", user.name}, {"LOGNAME", user.name},
          {"SHELL", user.shell.empty() ? "/bin/sh" : user.shell}, {"LANG", "C.UTF-8"}}
{
    for (const std::string_view entry : own) {
        const auto name = entry.substr(0, entry.find('='));
        const bool wanted = any_fits(passed, name) || any_fits(pass, name);
        if (name.size() < entry.size() && wanted && may_pass(name))
            base_.insert_or_assign(std::string{name}, std::string{entry.substr(name.size() + 1)});
    }
    // No terminal, and nobody to turn the pages.
    base_.insert_or_assign("TERM", "dumb");
    base_.insert_or_assign("PAGER", "cat");
}

std::vector<std::string> command_environment::of(const base::session_id& session,
    const base::task_id& task, const std::map<std::string, std::string>& task_env) const
{
    auto all = base_;
    for (const auto& [name, value] : task_env) {
        if (may_pass(name))
            all.insert_or_assign(name, value);
    }
    all.insert_or_assign("AGENTD_SESSION_ID", session.str());
    all.insert_or_assign("AGENTD_TASK_ID", task.str());
    std::vector<std::string> entries;
    entries.reserve(all.size());
    for (const auto& [name, value] : all)
        entries.push_back(fmt::format("{}={}", name, value));
    return entries;
}

bool command_environment::may_pass(std::string_view name)
{
    return !name.empty() && !any_fits(never, name);
}

} // namespace agentd::tools
