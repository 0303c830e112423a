#include "tools/wait_background.hpp"

#include "base/limits.hpp"
#include "proto/json/reader.hpp"
#include "tools/input.hpp"
#include "tools/job_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace agentd::tools {
namespace {

struct request {
    std::vector<base::job_id> ids;
    wait_mode mode = wait_mode::any;
    std::chrono::seconds limit = limits::wait_timeout;
};

base::result<request> read(std::string_view json)
{
    const auto input = read_input(json, {"task_ids", "mode", "timeout_s"});
    if (!input)
        return std::unexpected(input.error());
    request wanted;
    const auto ids = input->optional_strings("task_ids");
    if (!ids)
        return std::unexpected(ids.error());
    if (*ids) {
        for (const auto& id : **ids) {
            const base::job_id job{id};
            if (std::ranges::find(wanted.ids, job) == wanted.ids.end())
                wanted.ids.push_back(job);
            if (wanted.ids.size() > limits::jobs_listed)
                return std::unexpected(input->refuse(
                    "task_ids", fmt::format("has more than {} ids", limits::jobs_listed)));
        }
    }
    const auto mode = input->optional_string("mode");
    if (!mode)
        return std::unexpected(mode.error());
    if (*mode && **mode != "any" && **mode != "all")
        return std::unexpected(input->refuse("mode", "must be \"any\" or \"all\""));
    wanted.mode = mode->value_or("any") == "all" ? wait_mode::all : wait_mode::any;
    const auto limit = read_timeout(
        *input, limits::wait_timeout, std::chrono::seconds{0}, limits::wait_timeout_longest);
    if (!limit)
        return std::unexpected(limit.error());
    wanted.limit = *limit;
    return wanted;
}

// The jobs named, or all live ones; the answer instead when there is nothing to wait for.
std::optional<answer> choose(request& wanted, const std::vector<job_view>& known)
{
    for (const auto& id : wanted.ids) {
        if (std::ranges::find(known, id, &job_view::id) == known.end())
            return unknown_task(id.str());
    }
    if (!wanted.ids.empty())
        return std::nullopt;
    for (const auto& each : known) {
        if (!each.ended)
            wanted.ids.push_back(each.id);
    }
    if (wanted.ids.empty())
        return ok(known.empty() ? "No background tasks." : "No background task is running.");
    return std::nullopt;
}

std::string closing_line(wait_end why, std::chrono::seconds limit)
{
    switch (why) {
    case wait_end::ended: return "The results come by themselves, with this answer's request.";
    case wait_end::timed_out:
        return fmt::format(
            "Still waiting after {} s. What runs goes on; its result will come by itself.",
            limit.count());
    case wait_end::user_message: return "Waiting was cut short: a message from the user has come.";
    }
    return {};
}

} // namespace

std::string_view wait_background::definition() const
{
    return R"json({"name":"wait_background","description":"Wait until background tasks have ended; use it when there is nothing else to do until then, never check_background in a loop. Waiting costs nothing. Answers one status line per task; the results themselves come by themselves at the same time, in <background-results>. A timeout is no error, and a message from the user ends the wait early.","input_schema":{"type":"object","properties":{"task_ids":{"type":"array","items":{"type":"string"},"description":"The tasks to wait for; without it all that have not ended."},"mode":{"type":"string","enum":["any","all"],"description":"any (default): until one of them has ended; all: until all have."},"timeout_s":{"type":"integer","minimum":0,"maximum":3600,"description":"Seconds to wait at most; default 600."}},"additionalProperties":false}})json";
}

aio::awaitable<answer> wait_background::run(call what, context& with) const
{
    auto wanted = read(what.input);
    if (!wanted)
        co_return failed(wanted.error().text);
    const auto before = co_await with.jobs.list();
    if (auto nothing = choose(*wanted, before))
        co_return std::move(*nothing);
    const auto why = co_await with.jobs.wait(wanted->ids, wanted->mode, wanted->limit);
    const auto after = co_await with.jobs.list();
    std::string text;
    for (const auto& each : after) {
        if (std::ranges::find(wanted->ids, each.id) != wanted->ids.end())
            text += job_line(each) + "\n";
    }
    text += closing_line(why, wanted->limit);
    co_return ok(std::move(text));
}

} // namespace agentd::tools
