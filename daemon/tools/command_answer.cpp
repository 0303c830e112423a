#include "tools/command_answer.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/output_text.hpp"

#include <fmt/format.h>

#include <cstring>

namespace agentd::tools {
namespace {

constexpr std::size_t status_lines_chars = 500; // of the cap, for the lines after the output

void add_line(std::string& text, std::string_view line)
{
    if (!text.empty())
        text += '\n';
    text += line;
}

std::string notes(const jobs::outcome& end)
{
    std::string lines;
    if (end.leftovers_killed())
        add_line(lines,
            fmt::format("[{} left running by it {} stopped; use background_run for what should "
                        "go on]",
                end.leftovers == 1 ? "1 process" : fmt::format("{} processes", end.leftovers),
                end.leftovers == 1 ? "was" : "were"));
    if (end.unstoppable != 0)
        add_line(lines,
            fmt::format(
                "[{} of its processes could not be stopped and may live on]", end.unstoppable));
    if (end.oom)
        add_line(lines, "[out of memory]");
    return lines;
}

} // namespace

std::string signal_name(int number)
{
    const char* const name = ::sigabbrev_np(number);
    return name == nullptr ? std::to_string(number) : name;
}

answer command_answer(const jobs::outcome& end, std::chrono::seconds limit)
{
    if (end.how == jobs::ended::error)
        return failed(base::one_line(end.reason, limits::notice_preview_chars));
    std::string text = shortened(end.output.head, end.output.left_out, end.output.tail,
        limits::tool_output_chars - status_lines_chars);
    const auto more = notes(end);
    if (end.how == jobs::ended::completed) {
        if (text.empty())
            text = "(no output)";
        if (!more.empty())
            add_line(text, more);
        if (end.signal)
            add_line(text, fmt::format("[signal {}]", signal_name(*end.signal)));
        else if (end.exit_code.value_or(0) != 0)
            add_line(text, fmt::format("[exit {}]", *end.exit_code));
        return ok(std::move(text));
    }
    if (!more.empty())
        add_line(text, more);
    auto why = fmt::format("killed by {}{}{}", end.by ? to_string(*end.by) : "somebody",
        end.reason.empty() ? "" : ": ", end.reason);
    if (end.how == jobs::ended::timeout && end.reason.empty())
        why = fmt::format("Timeout ({}s)", limit.count());
    else if (end.how == jobs::ended::timeout)
        why = fmt::format("Timeout ({})", end.reason);
    return failed(text.empty() ? why : why + "\n" + text);
}

} // namespace agentd::tools
