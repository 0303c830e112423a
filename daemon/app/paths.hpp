// Where configuration, state and socket are (DESIGN §8). The environment and the file system
// are passed in. At start, one thread.
#pragma once

#include "app/environment.hpp"
#include "base/error.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace agentd::app {

using exists = std::function<bool(const std::string&)>;
[[nodiscard]] exists file_exists();

// --config alone if given, else the user's file, else /etc/agentd/agentd.toml, if they are
// there; empty: none.
[[nodiscard]] std::string find_config(
    const std::optional<std::string>& flag, const environment& env, const exists& there);

// --state-dir, $STATE_DIRECTORY, for root /var/lib/agentd, $XDG_STATE_HOME/agentd,
// ~/.local/state/agentd. errc::bad_config when none can be told.
[[nodiscard]] base::result<std::string> find_state(
    const std::optional<std::string>& flag, const environment& env, std::uint32_t uid);

// --socket, AGENTD_SOCKET; nullopt: neither, so a socket passed by systemd goes before the rest.
[[nodiscard]] std::optional<std::string> named_socket(
    const std::optional<std::string>& flag, const environment& env);
// $RUNTIME_DIRECTORY, for root /run/agentd, $XDG_RUNTIME_DIR, ~/.local/state.
[[nodiscard]] base::result<std::string> default_socket(const environment& env, std::uint32_t uid);

} // namespace agentd::app
