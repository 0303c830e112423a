// The file that jobs_bench and the processes it measures (exit_job.cpp) map both: who waits to
// be told to end, and when he did. Zeros at the beginning.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace agentd::bench {

struct exit_slot {
    char job_id[16];                    // AGENTD_JOB_ID, before `pid`
    std::atomic<pid_t> pid;             // set: it waits for SIGUSR1
    std::atomic<std::int64_t> ended_ns; // CLOCK_MONOTONIC, the last thing it does
};

struct exit_board {
    static constexpr std::size_t most = 4096;
    std::atomic<std::uint32_t> taken; // slots, in order of arrival
    exit_slot slots[most];
};

} // namespace agentd::bench
