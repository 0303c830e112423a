#include "jobs/command.hpp"

#include <algorithm>

namespace agentd::jobs {
namespace {

template <class Amount>
Amount smaller(Amount a, Amount b)
{
    if (a == Amount{} || b == Amount{})
        return std::max(a, b);
    return std::min(a, b);
}

} // namespace

bounds tightest(const bounds& a, const bounds& b)
{
    return {.cpu = smaller(a.cpu, b.cpu),
        .memory_bytes = smaller(a.memory_bytes, b.memory_bytes),
        .processes = smaller(a.processes, b.processes),
        .output_bytes = smaller(a.output_bytes, b.output_bytes),
        .file_bytes = smaller(a.file_bytes, b.file_bytes)};
}

std::string_view to_string(ended how)
{
    switch (how) {
    case ended::completed: return "completed";
    case ended::timeout: return "timeout";
    case ended::killed: return "killed";
    case ended::error: return "error";
    }
    return "error";
}

std::string_view to_string(stopped_by who)
{
    switch (who) {
    case stopped_by::model: return "model";
    case stopped_by::user: return "user";
    case stopped_by::task_end: return "task_end";
    case stopped_by::shutdown: return "shutdown";
    case stopped_by::memory: return "memory";
    case stopped_by::disk: return "disk";
    }
    return "user";
}

} // namespace agentd::jobs
