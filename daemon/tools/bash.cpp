#include "tools/bash.hpp"

#include "base/limits.hpp"
#include "jobs/foreground.hpp"
#include "tools/background_run.hpp"
#include "tools/command_answer.hpp"
#include "tools/input.hpp"
#include "tools/workspace.hpp"

#include <utility>

namespace agentd::tools {

std::string_view bash::definition() const
{
    return R"json({"name":"bash","description":"Run a shell command (sh -c) in the workspace and wait for it. The result is what it printed, stdout and stderr in the order written; a non-zero exit code adds a last line [exit N]. Of long output the beginning and the end are kept. stdin is empty. Processes that it leaves behind are stopped: start servers and anything slow (installs, test suites, builds) with background_run instead, and go on with other work meanwhile.","input_schema":{"type":"object","properties":{"command":{"type":"string","description":"The command line."},"timeout_s":{"type":"integer","minimum":1,"maximum":600,"description":"Seconds until it is stopped; default 120. With run_in_background as in background_run."},"run_in_background":{"type":"boolean","description":"true: the same as background_run."},"cpu_s":{"type":"integer","minimum":1,"description":"At most so many seconds of CPU time."},"memory_bytes":{"type":"integer","minimum":1048576,"description":"At most so much memory, all its processes together."},"processes":{"type":"integer","minimum":1,"description":"At most so many processes and threads."},"max_output_bytes":{"type":"integer","minimum":1,"description":"Stopped when it prints more."},"file_bytes":{"type":"integer","minimum":1,"description":"Largest file it may write."}},"required":["command"],"additionalProperties":false}})json";
}

aio::awaitable<answer> bash::run(call what, context& with) const
{
    const auto input = read_input(what.input,
        {"command", "timeout_s", "run_in_background", "cpu_s", "memory_bytes", "processes",
            "max_output_bytes", "file_bytes"});
    if (!input)
        co_return failed(input.error().text);
    auto command = read_command(*input, with.allowed);
    if (!command)
        co_return failed(command.error().text);
    const auto background = input->optional_boolean("run_in_background");
    if (!background)
        co_return failed(background.error().text);
    const auto most = read_bounds(*input, with.commands);
    if (!most)
        co_return failed(most.error().text);
    if (background->value_or(false)) {
        const auto limit = read_timeout(
            *input, with.job_timeout, std::chrono::seconds{0}, limits::job_timeout_longest);
        if (!limit)
            co_return failed(limit.error().text);
        job_order order{.command = std::move(*command), .timeout = *limit, .most = *most};
        co_return co_await start_in_background(std::move(order), with);
    }
    const auto limit = read_timeout(
        *input, limits::bash_timeout, std::chrono::seconds{1}, limits::bash_timeout_longest);
    if (!limit)
        co_return failed(limit.error().text);
    jobs::command line;
    line.text = std::move(*command);
    line.workdir_fd = with.files.fd();
    line.env = with.env;
    line.timeout = *limit;
    line.most = *most;
    const auto end = co_await with.commands.run(std::move(line));
    co_return command_answer(end, *limit);
}

} // namespace agentd::tools
