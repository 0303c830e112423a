// What the daemon says of itself, and all that was found shown; see doctor.hpp.
#include "ctl/doctor.hpp"

#include "ctl/format.hpp"

#include <fmt/format.h>

namespace agentd::ctl {
namespace {

using proto::api::finding;
using proto::api::verdict;
using proto::json::value;

constexpr const char* see_log =
    "its log says why: `journalctl -u agentd`, or where log.file of the configuration is";

colour colour_of(verdict what)
{
    switch (what) {
    case verdict::ok: return colour::good;
    case verdict::note: return colour::none;
    case verdict::warning: return colour::warn;
    case verdict::error: return colour::bad;
    case verdict::not_checked: return colour::faint;
    }
    return colour::none;
}

void show(context& with, const finding& what)
{
    if (with.json) {
        std::string line;
        append_json(line, what);
        with.term.raw(line + "\n");
        return;
    }
    auto text = what.text;
    for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 3)
        text.insert(at + 1, "  ");
    with.term.styled(fmt::format("{}: {}: {}", with.term.paint(colour::none, what.check),
        with.term.paint(colour_of(what.verdict), to_string(what.verdict)),
        with.term.paint(colour::none, text)));
    if (!what.advice.empty())
        with.term.line("  -> " + what.advice);
}

std::string text_in(const value& object, std::string_view name)
{
    const auto* text = object.find_string(name);
    return text == nullptr ? std::string{} : *text;
}

// Nobody answers; what the socket looks like has been said.
diagnosis silent(const base::error& why)
{
    if (why.is(errc::denied))
        return {{"daemon", verdict::error, why.text,
                    "be the daemon's user or root; or with `shared` a member of the socket's "
                    "group (log in again after having become one)"},
            errc::denied};
    if (why.is(errc::unreachable) || why.is(errc::lost))
        return {{"daemon", verdict::error, why.text,
                    fmt::format("start it: `systemctl start agentd`, or `agentd`; if it ended, {}",
                        see_log)},
            errc::unreachable};
    const bool ours = why.code.category() == make_error_code(errc::usage).category();
    return {{"daemon", verdict::error, why.text, see_log},
        ours ? static_cast<errc>(why.code.value()) : errc::daemon_error};
}

void judge_health(const value& said, diagnoses& to)
{
    const auto status = text_in(said, "status");
    if (status == "ok")
        to.push_back({{"daemon", verdict::ok, "it answers and is well", ""}});
    if (status == "draining")
        to.push_back({{"daemon", verdict::warning, "it is stopping and takes no tasks",
            "wait until it is started again"}});
    const auto* reasons = said.find("reasons");
    if (reasons == nullptr)
        return;
    for (const auto& reason : reasons->items())
        to.push_back({{"daemon", verdict::error,
                          "it is degraded: " + (reason.as_string() ? *reason.as_string() : ""),
                          "it goes on by itself when that is repaired; after a change of the "
                          "configuration: `systemctl reload agentd`, or SIGHUP"},
            errc::refused});
}

void judge_info(const value& said, diagnoses& to)
{
    const auto version = text_in(said, "version");
    if (version == AGENTD_VERSION)
        to.push_back({{"version", verdict::ok, "agentd and agentctl are " + version, ""}});
    else
        to.push_back({{"version", verdict::warning,
            fmt::format("the daemon is {}, agentctl is {}", version, AGENTD_VERSION),
            "restart the daemon if it was updated; tasks go on where they were"}});
    const auto* supervision = said.find("supervision");
    if (supervision == nullptr)
        return;
    const auto means = text_in(*supervision, "means");
    const auto reason = text_in(*supervision, "reason");
    const auto text = fmt::format(
        "commands are held together by {}{}{}", means, reason.empty() ? "" : ": ", reason);
    if (means == "cgroup")
        to.push_back({{"supervision", verdict::ok, text, ""}});
    else
        to.push_back({{"supervision", verdict::note, text,
            "run it as a service with Delegate=yes, or see SUPERVISION in agentd(8)"}});
}

// What both say, and where the daemon has its things.
aio::awaitable<base::result<>> ask_daemon(context& with, place& where, diagnoses& to)
{
    http_request ask;
    ask.target = "/v1/health";
    auto health = co_await with.daemon.ask(ask);
    if (!health)
        co_return std::unexpected(std::move(health).error());
    judge_health(health->root(), to);
    ask.target = "/v1/info";
    auto info = co_await with.daemon.ask(ask);
    if (!info)
        co_return std::unexpected(std::move(info).error());
    judge_info(info->root(), to);
    if (where.state_dir.empty())
        where.state_dir = text_in(info->root(), "state_dir");
    if (where.config.empty())
        where.config = text_in(info->root(), "config_file");
    co_return base::result<>{};
}

} // namespace

done execute(context& with, doctor_verb what)
{
    place where{what.state_dir.value_or(""), what.config.value_or(""), what.agentd.value_or("")};
    diagnoses all;
    look_at_socket(with.daemon.socket(), all);
    const auto answered = co_await ask_daemon(with, where, all);
    if (!answered)
        all.push_back(silent(answered.error()));
    co_await ask_agentd(std::move(where), all);
    std::size_t errors = 0;
    std::size_t warnings = 0;
    const diagnosis* first = nullptr;
    for (const auto& one : all) {
        show(with, one.what);
        const bool error = one.what.verdict == verdict::error;
        errors += error ? 1 : 0;
        warnings += one.what.verdict == verdict::warning ? 1 : 0;
        if (error && first == nullptr)
            first = &one;
    }
    if (first == nullptr)
        co_return base::result<>{};
    co_return std::unexpected(
        base::error{first->means, fmt::format("errors: {}, warnings: {}", errors, warnings)});
}

} // namespace agentd::ctl
