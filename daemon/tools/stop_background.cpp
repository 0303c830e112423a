#include "tools/stop_background.hpp"

#include "tools/input.hpp"
#include "tools/job_text.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace agentd::tools {

std::string_view stop_background::definition() const
{
    return R"json({"name":"stop_background","description":"Stop a background task with everything it has started: TERM, a few seconds of grace, then KILL. Returns when all of it is gone. What it had printed stays readable with check_background.","input_schema":{"type":"object","properties":{"task_id":{"type":"string","description":"The id that background_run gave."}},"required":["task_id"],"additionalProperties":false}})json";
}

aio::awaitable<answer> stop_background::run(call what, context& with) const
{
    const auto input = read_input(what.input, {"task_id"});
    if (!input)
        co_return failed(input.error().text);
    const auto id = input->string("task_id");
    if (!id)
        co_return failed(id.error().text);
    const base::job_id job{*id};
    const auto before = co_await with.jobs.find(job);
    if (!before)
        co_return unknown_task(*id);
    if (before->ended)
        co_return ok(fmt::format("Background task {} had ended already: {}\n{}", *id,
            job_heading(*before), job_status(*before)));
    const auto after = co_await with.jobs.stop(job);
    if (!after)
        co_return unknown_task(*id);
    const bool stopped = after->status == "killed";
    co_return ok(fmt::format("{}: {}\n{}",
        stopped ? fmt::format("Background task {} stopped", *id)
                : fmt::format("Background task {} ended by itself", *id),
        job_heading(*after), job_status(*after)));
}

} // namespace agentd::tools
