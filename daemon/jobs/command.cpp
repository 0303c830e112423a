#include "jobs/command.hpp"

namespace agentd::jobs {

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
