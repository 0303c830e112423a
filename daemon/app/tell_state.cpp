#include "app/tell_state.hpp"

#include "app/paths.hpp"
#include "app/startup.hpp"
#include "app/state_check.hpp"
#include "base/text.hpp"
#include "proto/api/json.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

namespace agentd::app {
namespace {

using proto::api::finding;
using proto::api::verdict;

std::string json_line(const finding& what)
{
    std::string line;
    append_json(line, what);
    return line + "\n";
}

// Several lines of a text stand below its first.
std::string plain_line(const finding& what)
{
    auto text = base::printable(what.text);
    for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 3)
        text.insert(at + 1, "  ");
    auto line = fmt::format("{}: {}: {}\n", what.check, to_string(what.verdict), text);
    if (!what.advice.empty())
        line += fmt::format("  -> {}\n", base::printable(what.advice));
    return line;
}

} // namespace

int tell_state(const options& given, const environment& env, std::uint32_t uid)
{
    findings all;
    config rules;
    std::error_code failure;
    auto folder = find_state(given.state_dir, env, uid);
    if (!folder) {
        fmt::print(stderr, "agentd: {}\n", folder.error().text);
        return 2;
    }
    if (const auto from = read_startup(given, env, uid))
        rules = from->config;
    else
        all.push_back({"configuration", verdict::error, from.error().text,
            "`agentd --check-config` says the same; the state is looked at with the defaults"});
    const auto path = std::filesystem::absolute(*folder, failure).lexically_normal().string();
    auto found = check_state({path, static_cast<std::uint64_t>(rules.jobs.spool_bytes)});
    all.insert(all.end(), found.begin(), found.end());
    bool wrong = false;
    for (const auto& one : all) {
        fmt::print("{}", given.json ? json_line(one) : plain_line(one));
        wrong = wrong || one.verdict == verdict::error;
    }
    return wrong ? 1 : 0;
}

} // namespace agentd::app
