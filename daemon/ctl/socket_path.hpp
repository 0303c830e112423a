// Where the daemon's socket is sought (DESIGN §8, client). The environment and the file
// system are passed in, so that tests need neither.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace agentd::ctl {

// A variable's value; nullopt when unset. Empty counts as unset.
using environment = std::function<std::optional<std::string>(const std::string&)>;
using exists = std::function<bool(const std::string&)>;

[[nodiscard]] environment process_environment();
[[nodiscard]] exists file_exists();

// --socket, AGENTD_SOCKET, the user's if it is there, else the system's.
[[nodiscard]] std::string find_socket(
    const std::optional<std::string>& flag, const environment& env, const exists& there);

} // namespace agentd::ctl
