#include "tools/write_background.hpp"

#include "base/stdin_limits.hpp"
#include "tools/input.hpp"
#include "tools/job_text.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace agentd::tools {
namespace {

struct write_request {
    std::string id;
    std::string text;
    bool eof = false;
};

base::result<write_request> read_write(std::string_view json)
{
    const auto input = read_input(json, {"task_id", "text", "eof"});
    if (!input)
        return std::unexpected(input.error());
    auto id = input->string("task_id");
    if (!id)
        return std::unexpected(id.error());
    auto text = input->string("text");
    if (!text)
        return std::unexpected(text.error());
    if (text->size() > limits::input_bytes)
        return std::unexpected(input->refuse("text",
            fmt::format("has more than {} bytes: write it in several calls", limits::input_bytes)));
    const auto eof = input->optional_boolean("eof");
    if (!eof)
        return std::unexpected(eof.error());
    return write_request{std::move(*id), std::move(*text), eof->value_or(false)};
}

answer told(const std::string& id, std::size_t size, bool eof, const jobs::input_result& result)
{
    if (result.why == jobs::input_stop::none)
        return ok(fmt::format("Wrote {} bytes to background task {}{}", size, id,
            eof ? ", and the end of its input." : "."));
    return failed(fmt::format("background task {} took {} of {} bytes: {}", id, result.taken, size,
        reason_of(result.why)));
}

} // namespace

std::string_view write_background::definition() const
{
    return R"json({"name":"write_background","description":"Write to the stdin of a background task that was started with stdin: true or pty: true. The text is written as it is: a line needs its line feed. On a pty a control character does what its key does (U+0003 interrupts).","input_schema":{"type":"object","properties":{"task_id":{"type":"string","description":"The id that background_run gave."},"text":{"type":"string","description":"What to write; at most 1 MiB."},"eof":{"type":"boolean","description":"true: end the input after the text."}},"required":["task_id","text"],"additionalProperties":false}})json";
}

aio::awaitable<answer> write_background::run(call what, context& with) const
{
    auto wanted = read_write(what.input);
    if (!wanted)
        co_return failed(wanted.error().text);
    const base::job_id job{wanted->id};
    const auto before = co_await with.jobs.find(job);
    if (!before)
        co_return unknown_task(wanted->id);
    if (before->ended)
        co_return failed(
            fmt::format("background task {} has ended: {}", wanted->id, job_status(*before)));
    const auto size = wanted->text.size();
    const auto result = co_await with.jobs.write_input(job, std::move(wanted->text), wanted->eof);
    if (!result)
        co_return failed(fmt::format(
            "background task {} takes no input: it was started without stdin: true", wanted->id));
    co_return told(wanted->id, size, wanted->eof, *result);
}

} // namespace agentd::tools
