#include "api/event_lines.hpp"

#include <fmt/format.h>

#include <iterator>

namespace agentd::api {
namespace {

void append_note(
    std::string& out, event_format format, std::string_view type, base::event_seq resume_after)
{
    append_line(
        out, format, 0, fmt::format(R"({{"type":"{}","resume_after":{}}})", type, resume_after));
}

} // namespace

void append_line(std::string& out, event_format format, base::event_seq seq, std::string_view json)
{
    if (format == event_format::ndjson) {
        out.append(json) += '\n';
        return;
    }
    if (seq != 0)
        fmt::format_to(std::back_inserter(out), "id: {}\n", seq);
    out.append("data: ").append(json).append("\n\n");
}

void append_heartbeat(std::string& out, event_format format, base::event_seq resume_after)
{
    append_note(out, format, "heartbeat", resume_after);
}

void append_lagged(std::string& out, event_format format, base::event_seq resume_after)
{
    append_note(out, format, "lagged", resume_after);
}

} // namespace agentd::api
