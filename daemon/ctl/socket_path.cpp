#include "ctl/socket_path.hpp"

#include <unistd.h>

#include <cstdlib>
#include <vector>

namespace agentd::ctl {
namespace {

constexpr const char* system_socket = "/run/agentd/agentd.sock";

std::optional<std::string> filled(const environment& env, const std::string& name)
{
    auto value = env(name);
    return value && value->empty() ? std::nullopt : value;
}

} // namespace

environment process_environment()
{
    return [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>{value};
    };
}

exists file_exists()
{
    return [](const std::string& path) { return ::access(path.c_str(), F_OK) == 0; };
}

std::string find_socket(
    const std::optional<std::string>& flag, const environment& env, const exists& there)
{
    if (flag)
        return *flag;
    if (const auto named = filled(env, "AGENTD_SOCKET"))
        return *named;
    std::vector<std::string> of_user;
    if (const auto runtime = filled(env, "XDG_RUNTIME_DIR"))
        of_user.push_back(*runtime + "/agentd/agentd.sock");
    if (const auto home = filled(env, "HOME"))
        of_user.push_back(*home + "/.local/state/agentd/agentd.sock");
    for (const auto& path : of_user)
        if (there(path))
            return path;
    return system_socket;
}

} // namespace agentd::ctl
