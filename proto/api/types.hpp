// The objects of the local API (DESIGN §6) as values: what the daemon stores and answers and
// what agentctl reads. Pure data; any thread.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::proto::api {

// queued -> running | cancelled; running <-> waiting; both -> the last three.
enum class task_state { queued, running, waiting, succeeded, failed, cancelled };
// What a session does now: that of its open task.
enum class session_state { idle, running, waiting };
// (queued ->) running -> one of the rest.
enum class job_state { queued, running, completed, timeout, killed, error, lost };
// What ends a task whose model is done while jobs of it still run.
enum class jobs_at_end { wait, detach, kill };

[[nodiscard]] std::string_view to_string(task_state);
[[nodiscard]] std::string_view to_string(session_state);
[[nodiscard]] std::string_view to_string(job_state);
[[nodiscard]] std::string_view to_string(jobs_at_end);
// nullopt for a name that is none.
[[nodiscard]] std::optional<task_state> task_state_from(std::string_view);
[[nodiscard]] std::optional<session_state> session_state_from(std::string_view);
[[nodiscard]] std::optional<job_state> job_state_from(std::string_view);
[[nodiscard]] std::optional<jobs_at_end> jobs_at_end_from(std::string_view);

[[nodiscard]] bool has_ended(task_state);
[[nodiscard]] bool has_ended(job_state);

// Tokens, summed over requests.
struct usage {
    std::int64_t input = 0;
    std::int64_t output = 0;
    std::int64_t cache_read = 0;
    std::int64_t cache_write = 0;

    usage& operator+=(const usage& other);
    bool operator==(const usage&) const = default;
};

// Why a task failed. `type`: model_error refusal max_turns timeout budget workspace crash_loop
// internal.
struct task_error {
    std::string type;
    std::string message;
    std::optional<int> status; // of the model's HTTP reply, where there was one
    std::string request_id;    // the model's; empty: none
};

using labels = std::map<std::string, std::string>;

struct task {
    base::task_id id;
    base::session_id session_id;
    std::uint32_t owner_uid = 0;
    task_state state = task_state::queued;
    std::string prompt;
    std::optional<std::string> result;
    std::optional<std::int64_t> result_turn; // the turn whose reply gave the result
    std::optional<task_error> error;
    std::string stop_reason; // of the last complete reply; empty: none yet
    std::string model;
    api::labels labels;
    int priority = 0;
    api::jobs_at_end jobs_at_end = api::jobs_at_end::wait;
    bool cancel_requested = false;
    std::int64_t turns = 0;
    api::usage usage;
    double cost_usd = 0;
    base::wall_time created_at{};
    std::optional<base::wall_time> started_at;
    std::optional<base::wall_time> ended_at;
};

struct session {
    base::session_id id;
    session_state state = session_state::idle;
    std::string model;
    std::string workdir;
    std::int64_t epoch = 1;
    std::int64_t messages = 0; // how many its history has
    api::usage usage;
    double cost_usd = 0;
    base::wall_time created_at{};
    base::wall_time updated_at{};
};

// Bytes left out of a job's kept output: [start, end).
struct byte_gap {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
};

struct job {
    base::job_id id;
    base::session_id session_id;
    base::task_id task_id;
    std::string command;
    job_state state = job_state::queued;
    std::string by;     // of killed: model, user, task_end, shutdown, memory, disk
    std::string reason; // of error and lost: what happened
    std::optional<int> exit_code;
    std::optional<int> signal;
    bool oom = false;
    std::optional<std::int64_t> wall_ms;
    std::optional<std::int64_t> cpu_ms;
    std::optional<std::int64_t> peak_bytes;
    std::uint64_t output_bytes = 0; // all that was ever written
    std::optional<byte_gap> gap;
    base::wall_time queued_at{};
    std::optional<base::wall_time> started_at;
    std::optional<base::wall_time> ended_at;
};

// What came of a write to a job's stdin.
struct input_written {
    base::job_id job_id;
    std::uint64_t bytes = 0; // taken
    bool complete = true;    // all was
    bool closed = false;     // the end of the input has been written
    std::string why;         // of what is not complete: not_started closed unread ended timed_out
};

struct message {
    std::int64_t seq = 0; // within the session, from 1
    std::string role;
    std::string content; // a JSON array, the bytes as they were sent or received
    std::int64_t epoch = 1;
    base::task_id task_id;
    base::wall_time created_at{};
};

// An entry of the daemon's history. `body` holds the members that only its type has, as a
// JSON object ("{}" if none).
struct event {
    base::event_seq seq = 0;
    base::wall_time time{};
    std::string type;
    base::session_id session_id;
    base::task_id task_id;
    base::job_id job_id;
    std::string body = "{}";
    // Whose session it is: decides who may see it, is not shown. Filled in by the store.
    std::optional<std::uint32_t> owner_uid;
};

// POST /v1/tasks, checked for form. Absent: the configuration's default.
struct submit_request {
    std::string prompt;
    std::optional<base::session_id> session_id;
    std::optional<std::string> workdir;
    std::optional<std::string> system;
    std::optional<std::string> model;
    std::map<std::string, std::string> env;
    std::optional<std::int64_t> max_turns;
    std::optional<std::int64_t> timeout_s;
    std::optional<double> budget_usd;
    std::optional<std::int64_t> max_tokens_total;
    api::jobs_at_end jobs_at_end = api::jobs_at_end::wait;
    int priority = 0;
    api::labels labels;
};

} // namespace agentd::proto::api
