// A background command: a supervised process tree whose output goes to the spool. It has
// ended when its tree is gone, and what is said about it is what the kernel said.
// Owned by the session; everything on the session's strand.
#pragma once

#include "aio/awaitable.hpp"
#include "base/ids.hpp"
#include "jobs/command.hpp"
#include "jobs/job_input.hpp"
#include "jobs/places.hpp"
#include "jobs/procfs.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace agentd::jobs {

class environment;

// A job that is silent and does nothing but wait for input.
struct stall {
    std::chrono::milliseconds silent{0}; // so long
    std::uint64_t output_bytes = 0;
    std::string last_output; // bytes as written, limits::stall_output_bytes at most
};

class job {
public:
    // `turn` is the job's place among the running ones, granted or still queued. From now on
    // followers of the output wait for it; AGENTD_JOB_ID is added to the command's environment.
    job(aio::executor strand, environment& shared, base::job_id id, command what, place turn);
    ~job(); // run() has returned or was never called
    job(const job&) = delete;
    job& operator=(const job&) = delete;

    // Goes on when the job may start (true) or has been stopped before (false: run() then gives
    // its outcome without starting anything). Throws operation_aborted when cancelled.
    aio::awaitable<bool> ready();

    // Runs it and goes on when its tree is gone and its output is kept; awaits ready() itself
    // where that was not done. Once. Cancelling it kills the tree at once; it then throws
    // operation_aborted, but only when the tree is gone, too. The place is given back.
    aio::awaitable<outcome> run();

    // `told` is called on the strand once its shell runs. Before run().
    void when_launched(std::function<void(process_identity)> told);

    // `told` is called on the strand when it stalls, once each time. Before run().
    void when_stalled(std::function<void(stall)> told);

    // Ends it: TERM to the whole tree, grace, KILL. At any time, also before it was started and
    // again; the first one counts. Returns at once: its end is run()'s.
    void stop(stopped_by who);

    // What writes to its stdin; nullptr: it has none.
    [[nodiscard]] std::shared_ptr<job_input> stdin_of() const;

    // What can be said while it runs.
    struct snapshot {
        bool queued = false;  // waits for a place
        bool running = false; // launched and not ended
        std::chrono::milliseconds wall{0};
        std::uint64_t output_bytes = 0;
        int pid = 0; // of the shell; 0: none
        bool stalls = false;
    };
    [[nodiscard]] snapshot look() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace agentd::jobs
