#include "tools/wait_background.hpp"

#include "base/limits.hpp"
#include "proto/json/reader.hpp"
#include "tools/input.hpp"
#include "tools/job_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <expected>
#include <optional>
#include <utility>
#include <vector>

namespace agentd::tools {
namespace {

struct wait_request {
    std::vector<base::job_id> ids;
    wait_mode mode = wait_mode::any;
    std::chrono::seconds limit = limits::wait_timeout;
};

base::result<wait_request> read_wait(std::string_view json)
{
    const auto input = read_input(json, {"task_ids", "mode", "timeout_s"});
    if (!input)
        return std::unexpected(input.error());
    wait_request wanted;
    const auto ids = input->optional_strings("task_ids");
    if (!ids)
        return std::unexpected(ids.error());
    if (*ids) {
        for (const auto& id : **ids) {
            const base::job_id job{id};
            if (std::ranges::find(wanted.ids, job) == wanted.ids.end())
                wanted.ids.push_back(job);
            if (wanted.ids.size() > limits::jobs_listed_to_model)
                return std::unexpected(input->refuse(
                    "task_ids", fmt::format("has more than {} ids", limits::jobs_listed_to_model)));
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

// How the jobs named are; the answer instead when one of them is unknown.
aio::awaitable<std::expected<std::vector<job_view>, answer>> look_up(
    std::vector<base::job_id> ids, context& with)
{
    std::vector<job_view> views;
    for (const auto& id : ids) {
        auto view = co_await with.jobs.find(id);
        if (!view)
            co_return std::unexpected(unknown_task(id.str()));
        views.push_back(std::move(*view));
    }
    co_return views;
}

// All live ones; the answer instead when there is nothing to wait for.
aio::awaitable<std::expected<std::vector<job_view>, answer>> look_for_live(context& with)
{
    auto views = co_await with.jobs.list();
    const bool none = views.empty();
    std::erase_if(views, [](const job_view& each) { return each.ended; });
    if (views.empty())
        co_return std::unexpected(
            ok(none ? "No background tasks." : "No background task is running."));
    co_return views;
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
    case wait_end::stalled:
        return "Waiting was cut short: a task waits for input. Answer it with write_background, or "
               "end it with stop_background.";
    }
    return {};
}

} // namespace

std::string_view wait_background::definition() const
{
    return R"json({"name":"wait_background","description":"Wait until background tasks have ended; use it when there is nothing else to do until then, never check_background in a loop. Waiting costs nothing. Answers one status line per task; the results themselves come by themselves at the same time, in <background-results>. A timeout is no error, and a message from the user, or a task that waits for input, ends the wait early.","input_schema":{"type":"object","properties":{"task_ids":{"type":"array","items":{"type":"string"},"description":"The tasks to wait for; without it all that have not ended."},"mode":{"type":"string","enum":["any","all"],"description":"any (default): until one of them has ended; all: until all have."},"timeout_s":{"type":"integer","minimum":0,"maximum":3600,"description":"Seconds to wait at most; default 600."}},"additionalProperties":false}})json";
}

aio::awaitable<answer> wait_background::run(call what, context& with) const
{
    auto wanted = read_wait(what.input);
    if (!wanted)
        co_return failed(wanted.error().text);
    auto looking = wanted->ids.empty() ? look_for_live(with) : look_up(wanted->ids, with);
    const auto before = co_await std::move(looking);
    if (!before)
        co_return before.error();
    std::vector<base::job_id> ids;
    for (const auto& each : *before)
        ids.push_back(each.id);
    const auto why = co_await with.jobs.wait(ids, wanted->mode, wanted->limit);
    const auto after = co_await look_up(ids, with);
    if (!after)
        co_return after.error();
    std::string text;
    for (const auto& each : *after)
        text += job_line(each) + "\n";
    text += closing_line(why, wanted->limit);
    co_return ok(std::move(text));
}

} // namespace agentd::tools
