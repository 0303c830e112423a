#include "tools/background_run.hpp"

#include "base/limits.hpp"
#include "tools/input.hpp"
#include "tools/job_text.hpp"

#include <fmt/format.h>

#include <utility>

namespace agentd::tools {
namespace {

// "stdin" and "pty"; a terminal takes input in any case.
base::result<jobs::input> read_stdin(const proto::json::object& input)
{
    const auto takes_input = input.optional_boolean("stdin");
    if (!takes_input)
        return std::unexpected(takes_input.error());
    const auto terminal = input.optional_boolean("pty");
    if (!terminal)
        return std::unexpected(terminal.error());
    if (terminal->value_or(false))
        return jobs::input::terminal;
    return takes_input->value_or(false) ? jobs::input::pipe : jobs::input::none;
}

} // namespace

std::string_view background_run::definition() const
{
    return R"json({"name":"background_run","description":"Start a shell command in the background and return at once with its task id. Use it for everything that may take more than a few seconds, and for servers. Go on with other work: its result comes by itself, in <background-results>, before one of your next turns, so there is no need to poll. If there is nothing else to do, end your turn or call wait_background. check_background shows its output at any time, stop_background ends it.","input_schema":{"type":"object","properties":{"command":{"type":"string","description":"The command line, run by sh -c in the workspace; without & at its end."},"timeout_s":{"type":"integer","minimum":0,"description":"Seconds until it is stopped; default 3600 unless configured otherwise, 0 for none."},"cpu_s":{"type":"integer","minimum":1,"description":"At most so many seconds of CPU time."},"memory_bytes":{"type":"integer","minimum":1048576,"description":"At most so much memory, all its processes together."},"processes":{"type":"integer","minimum":1,"description":"At most so many processes and threads."},"max_output_bytes":{"type":"integer","minimum":1,"description":"Stopped when it prints more."},"file_bytes":{"type":"integer","minimum":1,"description":"Largest file it may write."},"stdin":{"type":"boolean","description":"true: write_background can write to its stdin, which else is empty."},"pty":{"type":"boolean","description":"true: it runs on a terminal (80x24) that write_background writes to, for programs that want one; input is echoed."}},"required":["command"],"additionalProperties":false}})json";
}

aio::awaitable<answer> background_run::run(call what, context& with) const
{
    const auto input = read_input(what.input,
        {"command", "timeout_s", "cpu_s", "memory_bytes", "processes", "max_output_bytes",
            "file_bytes", "stdin", "pty"});
    if (!input)
        co_return failed(input.error().text);
    auto command = read_command(*input, with.allowed);
    if (!command)
        co_return failed(command.error().text);
    const auto limit = read_timeout(
        *input, with.job_timeout, std::chrono::seconds{0}, limits::job_timeout_longest);
    if (!limit)
        co_return failed(limit.error().text);
    const auto most = read_bounds(*input, with.commands);
    if (!most)
        co_return failed(most.error().text);
    const auto stdin_of = read_stdin(*input);
    if (!stdin_of)
        co_return failed(stdin_of.error().text);
    job_order order{
        .command = std::move(*command), .timeout = *limit, .most = *most, .input = *stdin_of};
    co_return co_await start_in_background(std::move(order), with);
}

aio::awaitable<answer> start_in_background(job_order what, context& with)
{
    const auto shown = shown_command(what.command);
    const auto started = co_await with.jobs.start(std::move(what));
    if (!started)
        co_return failed(started.error().text);
    auto text = fmt::format("Background task {} started: {}\n", started->id.str(), shown);
    if (started->queued)
        text += "It is queued: as many run as may, it starts when one of them ends. ";
    text += "Its result will come by itself; no need to poll.";
    co_return ok(std::move(text));
}

} // namespace agentd::tools
