#include "tools/job_text.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/command_answer.hpp"

#include <fmt/format.h>

namespace agentd::tools {
namespace {

std::string how_it_ended(const job_view& job)
{
    if (job.status == "error")
        return "could not be started";
    const auto why = job.reason.empty() ? std::string{} : ": " + job.reason;
    if (job.status == "killed")
        return fmt::format("killed by {}{}", job.by.empty() ? "somebody" : job.by, why);
    if (job.status == "timeout")
        return job.status + why;
    if (job.status == "completed" && job.signal)
        return fmt::format("signal {}", signal_name(*job.signal));
    if (job.status == "completed" && job.exit_code)
        return fmt::format("exit {}", *job.exit_code);
    return job.status; // lost
}

} // namespace

std::string shown_command(std::string_view command)
{
    return base::one_line(base::first_chars(command, limits::command_chars), limits::command_chars);
}

std::string job_heading(const job_view& job)
{
    return fmt::format("[{}] {}", job.status, shown_command(job.command));
}

std::string job_status(const job_view& job)
{
    if (job.status == "queued")
        return "queued: starts when another task ends";
    const double seconds = std::chrono::duration<double>(job.wall).count();
    const auto how = job.ended ? how_it_ended(job) + " after" : std::string{"running for"};
    return fmt::format("{} {:.1f} s; {} bytes of output{}{}", how, seconds, job.output_bytes,
        job.ended ? "" : " so far", job.stalls ? "; waits for input" : "");
}

std::string job_line(const job_view& job)
{
    return fmt::format("{}: {} ({})", job.id.str(), job_heading(job), job_status(job));
}

std::string job_error(const job_view& job)
{
    if (job.status != "error" && job.status != "lost")
        return {};
    const auto reason = base::one_line(job.reason, limits::notice_preview_chars);
    return fmt::format("Error: {}", reason.empty() ? job_status(job) : reason);
}

answer unknown_task(std::string_view id)
{
    return failed(fmt::format("Unknown task {}", base::one_line(id, limits::command_chars)));
}

} // namespace agentd::tools
