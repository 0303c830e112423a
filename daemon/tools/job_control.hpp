// What the job tools need of the session that calls them: its own jobs and nobody else's.
// Implemented by the session; on its strand.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "jobs/job_input.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentd::tools {

// A job as the tools show it.
struct job_view {
    base::job_id id;
    std::string command;
    std::string status; // queued running completed timeout killed error lost
    std::string by;     // of killed
    std::string reason; // of error and lost, and of an end by a bound
    std::optional<int> exit_code;
    std::optional<int> signal;
    std::chrono::milliseconds wall{0}; // so far, or in all
    std::uint64_t output_bytes = 0;
    bool ended = false;
    bool stalls = false; // silent, and waiting for input
};

// A piece of a job's output: bytes as written, from `offset` on.
struct job_output {
    std::string bytes;
    std::uint64_t offset = 0;      // of the first byte given; after a gap more than asked for
    std::uint64_t next_offset = 0; // where to go on
    std::uint64_t gap_start = 0, gap_end = 0; // left out on the way here; equal: none
};

// A background command as a tool asks for it.
struct job_order {
    std::string command;
    std::chrono::seconds timeout{0}; // 0: none
    jobs::bounds most{};             // besides the configured ones
    jobs::input input = jobs::input::none;
};

struct started_job {
    base::job_id id;
    bool queued = false; // the cap on running jobs is reached: it waits its turn
};

enum class wait_mode { any, all };
enum class wait_end { ended, timed_out, user_message, stalled };

class job_control {
public:
    virtual ~job_control() = default;

    // Starts (or queues) a background command. Errors: the queue is full, the session's CPU time
    // is used up, the daemon is stopping.
    virtual aio::awaitable<base::result<started_job>> start(job_order what) = 0;
    // All jobs of the session, oldest first.
    virtual aio::awaitable<std::vector<job_view>> list() = 0;
    // nullopt: unknown to this session.
    virtual aio::awaitable<std::optional<job_view>> find(base::job_id id) = 0;
    // From `offset` at most `limit` bytes; without `offset` the last `limit` bytes kept.
    virtual aio::awaitable<base::result<job_output>> read_output(
        base::job_id id, std::optional<std::uint64_t> offset, std::size_t limit) = 0;
    // Writes to its stdin, then closes that with `eof`; nullopt: it takes no input, or has ended.
    virtual aio::awaitable<std::optional<jobs::input_result>> write_input(
        base::job_id id, std::string text, bool eof) = 0;
    // Stops the tree and goes on when it is gone; the view after that. An ended job: unchanged.
    virtual aio::awaitable<std::optional<job_view>> stop(base::job_id id) = 0;
    // Goes on when any/all of `ids` (empty: all live ones) have ended, at the limit, when a user's
    // message has come, or when one of them waits for input and the model does not know yet.
    virtual aio::awaitable<wait_end> wait(
        std::vector<base::job_id> ids, wait_mode mode, std::chrono::seconds limit) = 0;
};

} // namespace agentd::tools
