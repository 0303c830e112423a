#include "app/paths.hpp"

#include "app/errc.hpp"

#include <unistd.h>

namespace agentd::app {
namespace {

// systemd joins several directories with colons; the first one is ours.
std::string first_of(const std::string& list)
{
    return list.substr(0, list.find(':'));
}

base::error homeless(std::string_view what)
{
    return {errc::bad_config,
        "cannot tell where the " + std::string{what} + " is to be: HOME is not set; name it"};
}

} // namespace

exists file_exists()
{
    return [](const std::string& path) { return ::access(path.c_str(), F_OK) == 0; };
}

std::string find_config(
    const std::optional<std::string>& flag, const environment& env, const exists& there)
{
    if (flag)
        return *flag;
    auto home = env("XDG_CONFIG_HOME");
    if (!home)
        if (const auto user = env("HOME"))
            home = *user + "/.config";
    if (home && there(*home + "/agentd/agentd.toml"))
        return *home + "/agentd/agentd.toml";
    const std::string of_system = "/etc/agentd/agentd.toml";
    return there(of_system) ? of_system : std::string{};
}

base::result<std::string> find_state(
    const std::optional<std::string>& flag, const environment& env, std::uint32_t uid)
{
    if (flag)
        return *flag;
    if (const auto given = env("STATE_DIRECTORY"))
        return first_of(*given);
    if (uid == 0)
        return "/var/lib/agentd";
    if (const auto state = env("XDG_STATE_HOME"))
        return *state + "/agentd";
    if (const auto home = env("HOME"))
        return *home + "/.local/state/agentd";
    return std::unexpected(homeless("state"));
}

std::optional<std::string> named_socket(
    const std::optional<std::string>& flag, const environment& env)
{
    return flag ? flag : env("AGENTD_SOCKET");
}

base::result<std::string> default_socket(const environment& env, std::uint32_t uid)
{
    if (const auto given = env("RUNTIME_DIRECTORY"))
        return first_of(*given) + "/agentd.sock";
    if (uid == 0)
        return "/run/agentd/agentd.sock";
    if (const auto runtime = env("XDG_RUNTIME_DIR"))
        return *runtime + "/agentd/agentd.sock";
    if (const auto home = env("HOME"))
        return *home + "/.local/state/agentd/agentd.sock";
    return std::unexpected(homeless("socket"));
}

} // namespace agentd::app
