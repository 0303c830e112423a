#include "session/background_results.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "session/quoted.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <string_view>
#include <vector>

namespace agentd::session {
namespace {

using proto::api::job_state;

constexpr std::string_view opening = "<background-results>\n";
constexpr std::string_view closing = "</background-results>";

std::string signal_text(int number)
{
    const char* name = ::sigabbrev_np(number);
    return name != nullptr ? name : fmt::format("{}", number);
}

// What it has used, as far as that is known; of what never ran nothing.
std::string bill_of(const proto::api::job& job)
{
    std::string text;
    if (job.oom)
        text += "; memory ran out";
    if (job.cpu_ms)
        text += fmt::format("; {:.1f} s of CPU time", static_cast<double>(*job.cpu_ms) / 1000.0);
    if (job.peak_bytes)
        text += fmt::format("; {} bytes of memory", *job.peak_bytes);
    return text;
}

// The line that stands for the entry whatever happens to its preview.
std::string first_line(const proto::api::job& job)
{
    const double seconds = static_cast<double>(job.wall_ms.value_or(0)) / 1000.0;
    const auto command = base::one_line(job.command, limits::command_chars);
    const auto bill = job.state == job_state::error ? std::string{} : bill_of(job);
    return fmt::format("[bg:{}] {} after {:.1f} s; {} bytes of output{}; command: {}\n",
        job.id.str(), describe_end(job), seconds, job.output_bytes, bill,
        base::defuse_markers(command));
}

// What the spool lacks nobody can show.
std::string left_out_line(const proto::api::job& job, std::uint64_t left_out)
{
    const auto lacking = job.gap ? job.gap->end - job.gap->start : 0;
    if (lacking == 0)
        return fmt::format("| [{} bytes left out; check_background shows them]\n", left_out);
    return fmt::format("| [{} bytes left out, {} of them not kept; check_background shows the "
                       "rest]\n",
        left_out, std::min(lacking, left_out));
}

// What is quoted of a job's output: all of it, or a quarter head and the rest tail.
std::string preview(const job_news& ended)
{
    constexpr std::size_t head_chars = limits::notice_preview_chars / 4;
    constexpr std::size_t tail_chars = limits::notice_preview_chars - head_chars;
    const std::size_t known = ended.head.size() + ended.tail.size();
    if (ended.tail.empty() || known >= ended.job.output_bytes) {
        const auto all = base::printable(ended.head + ended.tail);
        const auto text = base::strip(all);
        if (base::count_chars(text) <= limits::notice_preview_chars)
            return text.empty() ? quoted("(no output)") : quoted(text);
    }
    // Cut as bytes first: the count of what is left out is one of bytes that were written.
    const auto& last = ended.tail.empty() ? ended.head : ended.tail;
    std::string_view head_bytes{ended.head};
    std::string_view tail_bytes{last};
    head_bytes = head_bytes.substr(0, head_chars);
    tail_bytes = tail_bytes.substr(tail_bytes.size() - std::min(tail_bytes.size(), tail_chars));
    const auto shown = head_bytes.size() + tail_bytes.size();
    const auto left_out = ended.job.output_bytes > shown ? ended.job.output_bytes - shown : 0;
    return quoted(base::printable(head_bytes)) + left_out_line(ended.job, left_out) +
        quoted(base::printable(tail_bytes));
}

} // namespace

std::string describe_end(const proto::api::job& job)
{
    switch (job.state) {
    case job_state::completed:
        return job.signal ? fmt::format("completed: signal {}", signal_text(*job.signal))
                          : fmt::format("completed: exit {}", job.exit_code.value_or(0));
    case job_state::timeout: // of the CPU time it says so
        return job.reason.empty() ? "timeout" : fmt::format("timeout: {}", job.reason);
    case job_state::killed: // by a bound it says which
        return fmt::format("killed by {}{}{}", job.by, job.reason.empty() ? "" : ": ", job.reason);
    case job_state::error:
        return fmt::format("error: {}", base::defuse_markers(base::one_line(job.reason, 200)));
    case job_state::lost:
        return fmt::format("lost: {}", base::defuse_markers(base::one_line(job.reason, 200)));
    case job_state::queued:
    case job_state::running: break;
    }
    return std::string{to_string(job.state)};
}

std::string stall_entry(
    const proto::api::job& job, std::chrono::milliseconds silent, std::string_view last)
{
    const double seconds = std::chrono::duration<double>(silent).count();
    const auto command = base::one_line(job.command, limits::command_chars);
    const auto text = base::printable(last);
    return fmt::format("[bg:{}] stalled: silent for {:.1f} s and waiting for input; answer it with "
                       "write_background or end it with stop_background; {} bytes of output; "
                       "command: {}\n{}",
        job.id.str(), seconds, job.output_bytes, base::defuse_markers(command),
        quoted(base::strip(text)));
}

std::string background_results(std::span<const job_news> all)
{
    // Every entry keeps its first line; the previews share what is left, in order.
    std::vector<std::string> heads;
    std::size_t used = opening.size() + closing.size();
    for (const auto& one : all) {
        heads.push_back(one.stalled.empty() ? first_line(one.job)
                                            : one.stalled.substr(0, one.stalled.find('\n') + 1));
        used += base::count_chars(heads.back());
    }
    std::string element{opening};
    for (std::size_t i = 0; i < all.size(); ++i) {
        element += heads[i];
        if (all[i].job.state == job_state::error)
            continue; // nothing ever ran
        const auto quoted =
            all[i].stalled.empty() ? preview(all[i]) : all[i].stalled.substr(heads[i].size());
        const auto chars = base::count_chars(quoted);
        if (used + chars > limits::notice_element_chars)
            continue;
        used += chars;
        element += quoted;
    }
    return element.append(closing);
}

} // namespace agentd::session
