#include "app/options.hpp"

#include <CLI/CLI.hpp>

#include <sstream>

namespace agentd::app {

std::expected<options, early_end> parse_options(int argc, const char* const* argv)
{
    constexpr int usage = 2;
    CLI::App app{
        "The agent daemon: drives language models that work with tools and jobs.", "agentd"};
    options out;
    app.add_option("--config", out.config, "read this file alone (TOML)")->type_name("FILE");
    app.add_option("--socket", out.socket, "listen here (environment: AGENTD_SOCKET)")
        ->type_name("PATH");
    app.add_option("--state-dir", out.state_dir, "keep the state here")->type_name("DIR");
    auto* const check = app.add_flag("--check-config", out.check_config,
        "say what is wrong with the configuration, or what is in force, and end");
    app.add_flag("--online", out.online,
           "with --check-config: ask the model's server, and say in one line what does not work")
        ->needs(check);
    auto* const state = app.add_flag("--check-state", out.check_state,
        "look at the state without changing it, say what is wrong and what to do, and end");
    state->excludes(check);
    app.add_flag("--json", out.json, "with --check-state: one finding a line, as JSON")
        ->needs(state);
    app.set_version_flag("--version", std::string{"agentd "} + AGENTD_VERSION);
    try { // CLI11 tells of everything, help included, by exceptions
        app.parse(argc, argv);
    } catch (const CLI::ParseError& why) {
        std::ostringstream text, err;
        const int code = app.exit(why, text, err);
        if (code == 0)
            return std::unexpected(early_end{0, text.str()});
        return std::unexpected(early_end{usage, err.str()});
    }
    return out;
}

} // namespace agentd::app
