// Names and sums of the API's values; see types.hpp.
#include "proto/api/types.hpp"

#include <array>
#include <utility>

namespace agentd::proto::api {
namespace {

// The names of an enum whose values count from 0.
constexpr std::array<std::string_view, 6> task_states{
    "queued", "running", "waiting", "succeeded", "failed", "cancelled"};
constexpr std::array<std::string_view, 3> session_states{"idle", "running", "waiting"};
constexpr std::array<std::string_view, 7> job_states{
    "queued", "running", "completed", "timeout", "killed", "error", "lost"};
constexpr std::array<std::string_view, 3> job_ends{"wait", "detach", "kill"};

template <class Enum, std::size_t N>
std::string_view name_of(Enum value, const std::array<std::string_view, N>& names)
{
    const auto index = static_cast<std::size_t>(value);
    return index < N ? names[index] : "unknown";
}

template <class Enum, std::size_t N>
std::optional<Enum> value_of(std::string_view name, const std::array<std::string_view, N>& names)
{
    for (std::size_t i = 0; i < N; ++i) {
        if (names[i] == name)
            return static_cast<Enum>(i);
    }
    return std::nullopt;
}

} // namespace

std::string_view to_string(task_state value)
{
    return name_of(value, task_states);
}

std::string_view to_string(session_state value)
{
    return name_of(value, session_states);
}

std::string_view to_string(job_state value)
{
    return name_of(value, job_states);
}

std::string_view to_string(jobs_at_end value)
{
    return name_of(value, job_ends);
}

std::optional<task_state> task_state_from(std::string_view name)
{
    return value_of<task_state>(name, task_states);
}

std::optional<session_state> session_state_from(std::string_view name)
{
    return value_of<session_state>(name, session_states);
}

std::optional<job_state> job_state_from(std::string_view name)
{
    return value_of<job_state>(name, job_states);
}

std::optional<jobs_at_end> jobs_at_end_from(std::string_view name)
{
    return value_of<jobs_at_end>(name, job_ends);
}

bool has_ended(task_state value)
{
    return value == task_state::succeeded || value == task_state::failed ||
        value == task_state::cancelled;
}

bool has_ended(job_state value)
{
    return value != job_state::queued && value != job_state::running;
}

usage& usage::operator+=(const usage& other)
{
    input += other.input;
    output += other.output;
    cache_read += other.cache_read;
    cache_write += other.cache_write;
    return *this;
}

} // namespace agentd::proto::api
