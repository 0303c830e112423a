#include "tools/check_background.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "proto/json/reader.hpp"
#include "tools/input.hpp"
#include "tools/job_text.hpp"
#include "tools/output_text.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace agentd::tools {
namespace {

// Of the cap on an answer, for what is said besides the output; a byte is at most a character.
constexpr std::size_t status_chars = 4000;
constexpr std::size_t output_bytes = limits::tool_output_chars - status_chars;
constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

struct check_request {
    std::optional<std::string> id;
    std::optional<std::int64_t> offset;
    std::optional<std::int64_t> tail_lines;
};

base::result<check_request> read_check(std::string_view json)
{
    const auto input = read_input(json, {"task_id", "offset", "tail_lines"});
    if (!input)
        return std::unexpected(input.error());
    auto id = input->optional_string("task_id");
    if (!id)
        return std::unexpected(id.error());
    const auto offset = input->optional_integer("offset", 0, most);
    if (!offset)
        return std::unexpected(offset.error());
    const auto lines = input->optional_integer("tail_lines", 1, most);
    if (!lines)
        return std::unexpected(lines.error());
    if (!*id && (*offset || *lines))
        return std::unexpected(input->refuse(*offset ? "offset" : "tail_lines", "needs task_id"));
    if (*offset && *lines)
        return std::unexpected(input->refuse("tail_lines", "cannot go together with offset"));
    return check_request{std::move(*id), *offset, *lines};
}

std::string list_text(const std::vector<job_view>& jobs)
{
    if (jobs.empty())
        return "No background tasks.";
    // Live ones always; of the ended the newest.
    std::vector<std::string> lines;
    std::size_t ended = 0;
    std::size_t left_out = 0;
    for (auto each = jobs.rbegin(); each != jobs.rend(); ++each) {
        ended += each->ended ? 1 : 0;
        if (each->ended && ended > limits::jobs_listed_to_model)
            ++left_out;
        else
            lines.push_back(job_line(*each));
    }
    std::string text;
    if (left_out != 0)
        text = fmt::format("({} older ones, all ended, are not listed)\n", left_out);
    for (auto line = lines.rbegin(); line != lines.rend(); ++line)
        text += *line + "\n";
    text.pop_back();
    return text;
}

// The last `count` lines of `text`; a last line needs no line end.
std::string_view last_lines(std::string_view text, std::int64_t count)
{
    auto start = text.ends_with('\n') ? text.size() - 1 : text.size();
    while (count-- > 0) {
        const auto line_end = start == 0 ? std::string_view::npos : text.rfind('\n', start - 1);
        if (line_end == std::string_view::npos)
            return text;
        start = line_end;
    }
    return text.substr(start + 1);
}

// What stands in the place of output where there is none.
std::string nothing_yet(const job_view& job)
{
    if (job.status == "queued" || !job.ended)
        return fmt::format("({})", job.status);
    return "(no output)";
}

// The end of the output, or its last lines.
std::string tail_text(const job_view& job, const job_output& out, const check_request& wanted)
{
    std::string_view bytes = out.bytes;
    std::uint64_t start = out.offset;
    const auto drop = [&](std::size_t n) {
        bytes.remove_prefix(n);
        start += n;
    };
    if (start != 0)
        drop(stray_bytes(bytes));
    if (wanted.tail_lines)
        drop(bytes.size() - last_lines(bytes, *wanted.tail_lines).size());
    const auto printed = base::printable(bytes);
    const auto text = base::strip(printed);
    if (text.empty())
        return nothing_yet(job);
    if (start == 0)
        return std::string{text};
    return fmt::format("[{} bytes before this; offset shows them]\n{}", start, text);
}

// A piece from the offset asked for on.
std::string piece_text(const job_view& job, const job_output& out, const check_request& wanted)
{
    std::string_view bytes = out.bytes;
    std::uint64_t next = out.next_offset;
    const bool more = next < job.output_bytes;
    const auto unfinished = more || !job.ended ? unfinished_bytes(bytes) : 0;
    if (unfinished < bytes.size()) {
        bytes.remove_suffix(unfinished);
        next -= unfinished;
    }
    std::string text;
    if (out.gap_end > out.gap_start)
        text = fmt::format("[bytes {} to {} were left out]\n", out.gap_start, out.gap_end);
    if (bytes.empty())
        text += job.ended ? fmt::format("(no output from offset {} on)", *wanted.offset)
                          : nothing_yet(job);
    text += base::printable(bytes);
    if (!text.ends_with('\n'))
        text += '\n';
    return text + fmt::format("[next offset: {}{}]", next, more ? ", there is more" : "");
}

aio::awaitable<answer> describe(job_view job, check_request wanted, context& with)
{
    std::string text = job_heading(job) + "\n" + job_status(job);
    if (const auto error = job_error(job); !error.empty())
        text += "\n" + error;
    if (job.output_bytes == 0 && !wanted.offset) {
        if (job.status != "error" && job.status != "lost")
            text += "\n" + nothing_yet(job);
        co_return ok(std::move(text));
    }
    std::optional<std::uint64_t> offset;
    if (wanted.offset)
        offset = static_cast<std::uint64_t>(*wanted.offset);
    const auto out = co_await with.jobs.read_output(job.id, offset, output_bytes);
    if (!out) {
        text += "\n(its output cannot be read: " + base::one_line(out.error().text, 200) + ")";
        co_return ok(std::move(text));
    }
    text += "\n";
    text += wanted.offset ? piece_text(job, *out, wanted) : tail_text(job, *out, wanted);
    co_return ok(std::move(text));
}

} // namespace

std::string_view check_background::definition() const
{
    return R"json({"name":"check_background","description":"Look at a background task: its status, exit code, duration and output, live while it runs. Without task_id one line per task. Results come by themselves when tasks end: do not call this in a loop, use wait_background to wait.","input_schema":{"type":"object","properties":{"task_id":{"type":"string","description":"The id that background_run gave."},"offset":{"type":"integer","minimum":0,"description":"Show the output from this byte on; the answer names the next offset. Without it the end of the output is shown."},"tail_lines":{"type":"integer","minimum":1,"description":"Show only so many lines of the end of the output."}},"additionalProperties":false}})json";
}

aio::awaitable<answer> check_background::run(call what, context& with) const
{
    auto wanted = read_check(what.input);
    if (!wanted)
        co_return failed(wanted.error().text);
    if (!wanted->id) {
        const auto all = co_await with.jobs.list();
        co_return ok(list_text(all));
    }
    const base::job_id id{*wanted->id};
    auto job = co_await with.jobs.find(id);
    if (!job)
        co_return unknown_task(*wanted->id);
    co_return co_await describe(std::move(*job), std::move(*wanted), with);
}

} // namespace agentd::tools
