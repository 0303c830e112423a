// doctor: what the daemon's own program finds in its configuration and its state.
#include "ctl/doctor.hpp"
#include "ctl/side_program.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace agentd::ctl {
namespace {

using proto::api::verdict;

constexpr auto check_patience = std::chrono::seconds{60}; // it takes 10 for a large database

// Beside agentctl, where packages put it, and where a build does.
std::string find_agentd()
{
    std::error_code failure;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", failure).parent_path();
    const std::array candidates{self / "agentd", self.parent_path() / "sbin" / "agentd",
        self.parent_path() / "agentd", std::filesystem::path{"/usr/sbin/agentd"},
        std::filesystem::path{"/usr/local/sbin/agentd"}};
    for (const auto& path : candidates)
        if (std::filesystem::is_regular_file(path, failure) && ::access(path.c_str(), X_OK) == 0)
            return path.string();
    return {};
}

std::vector<std::string> command(const place& where, std::string_view check)
{
    std::vector<std::string> argv{where.agentd, std::string{check}};
    if (!where.state_dir.empty())
        argv.insert(argv.end(), {"--state-dir", where.state_dir});
    if (!where.config.empty())
        argv.insert(argv.end(), {"--config", where.config});
    return argv;
}

void judge_configuration(const place& where, const base::result<side_output>& said, diagnoses& to)
{
    if (!said) {
        to.push_back({{"configuration", verdict::not_checked, said.error().text, ""}});
        return;
    }
    if (said->exit_code == 0) {
        const auto file = where.config.empty() ? std::string{} : ": " + where.config;
        to.push_back({{"configuration", verdict::ok, "nothing is wrong with it" + file, ""}});
        return;
    }
    auto text = said->text;
    while (text.ends_with('\n'))
        text.pop_back();
    to.push_back({{"configuration", verdict::error, text,
                      "see agentd.toml(5); a daemon that runs keeps the old one until a restart"},
        errc::usage});
}

void judge_state(const base::result<side_output>& said, diagnoses& to)
{
    if (!said) {
        to.push_back({{"state", verdict::not_checked, said.error().text, ""}});
        return;
    }
    std::string_view rest = said->text;
    bool any = false;
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const auto read = proto::json::parse(line);
        auto found = read ? proto::api::finding_from(read->root())
                          : base::result<proto::api::finding>{std::unexpected(read.error())};
        any = any || found.has_value();
        if (found && found->check == "configuration")
            continue; // said already
        if (found)
            to.push_back({std::move(*found), errc::daemon_error});
        else
            to.push_back({{"state", verdict::not_checked, std::string{line}, ""}});
    }
    if (!any)
        to.push_back({{"state", verdict::not_checked,
            fmt::format("agentd ended with {} and said nothing of it", said->exit_code), ""}});
}

} // namespace

aio::awaitable<> ask_agentd(place where, diagnoses& to)
{
    if (where.agentd.empty())
        where.agentd = find_agentd();
    if (where.agentd.empty()) {
        to.push_back({{"state", verdict::not_checked,
            "the program agentd, which looks at state and configuration, is not found",
            "name it: --agentd"}});
        co_return;
    }
    auto asked = command(where, "--check-config");
    const auto configuration = co_await run_beside(std::move(asked), check_patience);
    judge_configuration(where, configuration, to);
    asked = command(where, "--check-state");
    asked.emplace_back("--json");
    const auto state = co_await run_beside(std::move(asked), check_patience);
    judge_state(state, to);
}

} // namespace agentd::ctl
