#include "app/startup.hpp"

#include "app/paths.hpp"

#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace agentd::app {
namespace {

// Paths are kept absolute: nothing may depend on where the daemon was started.
std::string absolute(const std::string& path)
{
    std::error_code failure;
    const auto whole = std::filesystem::absolute(path, failure);
    return failure ? path : whole.lexically_normal().string();
}

base::result<config> read_config(const std::string& file, const environment& env, std::uint32_t uid)
{
    auto all = load_config(file);
    if (!all)
        return all;
    if (auto applied = apply_environment(*all, env); !applied)
        return std::unexpected(std::move(applied).error());
    if (auto checked = check_together(*all, uid); !checked)
        return std::unexpected(base::error{
            errc::bad_config, (file.empty() ? std::string{} : file + ": ") + checked.error().text});
    return all;
}

} // namespace

environment startup::override_environment() const
{
    return [values = overrides](const std::string& name) -> std::optional<std::string> {
        const auto found = values.find(name);
        return found == values.end() ? std::nullopt : std::optional{found->second};
    };
}

base::result<startup> read_startup(const options& given, const environment& env, std::uint32_t uid)
{
    startup out;
    out.config_file = find_config(given.config, env, file_exists());
    if (!out.config_file.empty())
        out.config_file = absolute(out.config_file);
    for (const auto* name : overriding_variables)
        if (auto value = env(name))
            out.overrides.emplace(name, std::move(*value));
    auto config = read_config(out.config_file, env, uid);
    if (!config)
        return std::unexpected(std::move(config).error());
    out.config = std::move(*config);
    auto state = find_state(given.state_dir, env, uid);
    if (!state)
        return std::unexpected(std::move(state).error());
    out.state_dir = absolute(*state);
    if (auto named = named_socket(given.socket, env))
        out.socket = absolute(*named);
    if (auto usual = default_socket(env, uid))
        out.default_socket = absolute(*usual);
    out.credentials = credential_sources_of(env);
    return out;
}

base::result<config> read_config_again(const startup& from)
{
    return read_config(from.config_file, from.override_environment(), ::geteuid());
}

} // namespace agentd::app
