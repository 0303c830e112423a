// The daemon's command line (DESIGN §7). Main thread.
#pragma once

#include <expected>
#include <optional>
#include <string>

namespace agentd::app {

struct options {
    std::optional<std::string> config;
    std::optional<std::string> socket;
    std::optional<std::string> state_dir;
    bool check_config = false;
    bool online = false; // with check_config
    bool check_state = false;
    bool json = false; // with check_state
};

// Help, the version, or what is wrong with the arguments.
struct early_end {
    int exit_code = 0; // 0: `text` is for stdout, else for stderr
    std::string text;
};

[[nodiscard]] std::expected<options, early_end> parse_options(int argc, const char* const* argv);

} // namespace agentd::app
