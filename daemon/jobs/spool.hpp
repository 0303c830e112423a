// The output of jobs on disk: the folder STATE/jobs. Of each job its beginning and its end are
// kept within a cap, of the folder the newest; what is left out is counted. The names of the
// files say which bytes they hold, so that a reader needs nothing else, also after a restart:
//   ID          the first bytes of the output, from 0 on
//   ID.d/N      later bytes, from offset N (20 digits) on; an empty last one marks the end
//   FILE.t1     when the bytes of FILE came (see spool_times.hpp); up to an eighth of the cap more
// Reading: from any strand. Writing is the job's (see spool_log.hpp).
#pragma once

#include "aio/awaitable.hpp"
#include "aio/blocking_pool.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "jobs/command.hpp"
#include "jobs/places.hpp"
#include "jobs/spool_times.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agentd::jobs {

inline constexpr std::size_t spool_threads = 2; // that write; as many read, in no writer's way

struct spool_options {
    std::string folder;
    std::size_t job_bytes = limits::job_output_bytes;
    std::uint64_t total_bytes = limits::spool_bytes; // of all jobs
    std::uint64_t ended_bytes = limits::spool_bytes; // of those that have ended
    std::uint64_t session_bytes = 0;                 // of all jobs of one session; 0: no bound
    std::size_t buffer_bytes = limits::spool_buffer;
};

// A piece of a job's output.
struct piece {
    std::string bytes;
    std::uint64_t offset = 0;      // of the first of them; after a gap more than was asked for
    std::uint64_t next_offset = 0; // where to go on
    std::optional<byte_range> gap; // left out between what was asked for and `offset`
    std::uint64_t size = 0;        // all output so far, the left-out part included
    std::vector<time_mark> times;  // of read_timed: of its bytes, those before the first unknown
};

class spool {
public:
    spool(const aio::executor& io, spool_options options);
    ~spool();

    // Makes the folder (0700). Blocks; before the loop runs.
    base::result<> open();

    // At most `limit` bytes from `offset` on, never across a gap. At the end of a running job's
    // output the piece is empty: wait_for_more. Of an ended job `total` is its recorded
    // output_bytes: what the spool has dropped is then a gap up to there. errc::io.
    aio::awaitable<base::result<piece>> read(
        base::job_id id, std::uint64_t offset, std::size_t limit, std::uint64_t total = 0);
    // The same, with the times at which the bytes came.
    aio::awaitable<base::result<piece>> read_timed(
        base::job_id id, std::uint64_t offset, std::size_t limit, std::uint64_t total = 0);
    // The last `limit` bytes kept (fewer when a gap lies among them).
    aio::awaitable<base::result<piece>> read_tail(
        base::job_id id, std::size_t limit, std::uint64_t total = 0);
    // The last `lines` lines, at most `limit` bytes of them. A last line needs no line end.
    aio::awaitable<base::result<piece>> read_lines(
        base::job_id id, std::size_t lines, std::size_t limit, std::uint64_t total = 0);

    struct progress {
        std::uint64_t size = 0; // readable now
        bool ended = false; // nothing will come any more; also of a job unknown or ended long ago
    };
    // Goes on when there is more than `known` bytes or the job has ended. A job is live from the
    // construction of its jobs::job to the end of run(). Throws operation_aborted when cancelled.
    aio::awaitable<progress> wait_for_more(base::job_id id, std::uint64_t known);

    // What is on disk of a job that the daemon lost: how much was written, what is missing, and
    // enough of it for a notification.
    struct extent {
        std::uint64_t size = 0;
        std::optional<byte_range> gap;
        excerpt output;
    };
    aio::awaitable<extent> measure(base::job_id id);

    // Drops what earlier runs have left beyond what is to be kept. Before the first job it is the
    // first look at the folder, which takes a while with many logs.
    aio::awaitable<> settle();
    // Whether what the jobs of one session have is bounded: then claim() comes before its first
    // job, with those of earlier runs of the daemon. Drops what is too much.
    [[nodiscard]] bool bounds_sessions() const;
    aio::awaitable<> claim(base::session_id by, std::vector<base::job_id> ids);
    // Deletes the output of an ended job.
    aio::awaitable<> remove(base::job_id id);

    // Bytes in the folder, for figures. Any thread.
    [[nodiscard]] std::uint64_t bytes_used() const;

    struct state; // of the parts of the spool

private:
    friend class spool_log;
    // `look`, given how much output there is by now, on a thread that reads.
    template <class Look>
    aio::awaitable<base::result<piece>> look_at(base::job_id id, std::uint64_t total, Look look);

    std::shared_ptr<state> state_; // shared: work that was handed in outlives its caller
    // Threads of their own: jobs wait for no reader, and neither for what tools do with files.
    aio::blocking_pool reading_{spool_threads};
    aio::blocking_pool writing_{spool_threads};
};

} // namespace agentd::jobs
