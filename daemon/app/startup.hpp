// What the daemon starts with: options, environment and configuration brought together, and
// what reload needs of them again. Main thread, before any other.
#pragma once

#include "app/config.hpp"
#include "app/credential.hpp"
#include "app/options.hpp"
#include "base/error.hpp"

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>

namespace agentd::app {

struct startup {
    app::config config;
    std::string config_file; // empty: defaults
    std::string state_dir;
    std::optional<std::string> socket;         // named by flag or environment
    std::optional<std::string> default_socket; // where it is when nobody passes one
    credential_sources credentials;
    std::map<std::string, std::string> overrides; // of the environment, over the file
    std::uint64_t soft_descriptors = 0;           // set by prepare_process()
    pid_t watcher = 0;                            // the process beside the daemon; 0: none

    // The overrides as apply_environment() wants them.
    [[nodiscard]] environment override_environment() const;
};

// Reads everything. errc::bad_config, with a line for each mistake.
[[nodiscard]] base::result<startup> read_startup(
    const options& given, const environment& env, std::uint32_t uid);

// The configuration as it is now, for a reload: the same file, the same overrides.
[[nodiscard]] base::result<config> read_config_again(const startup& from);

} // namespace agentd::app
