// Bounds of what jobs are given to read and of the looks at those that wait for it, beside
// limits.hpp: few files need these. Any thread.
#pragma once

#include <chrono>
#include <cstddef>

namespace agentd::limits {

using namespace std::chrono_literals;

inline constexpr std::size_t input_bytes = 1U << 20;    // of one write to a job's stdin
inline constexpr auto input_deadline = 30s;             // of one, while the job does not read
inline constexpr auto input_recheck = 100ms;            // of a full one whose room nobody tells
inline constexpr std::size_t terminal_line = 4095;      // the kernel's N_TTY_BUF_SIZE without one
inline constexpr auto job_stall = 30s;                  // silent and waiting for input
inline constexpr std::size_t stall_processes = 64;      // of a tree that is looked at for it
inline constexpr std::size_t stall_threads = 256;       // of all of them: some 5 ms
inline constexpr std::size_t stall_polled = 1024;       // descriptors in one call of theirs
inline constexpr std::size_t stall_output_bytes = 2000; // the last ones, quoted: the question
inline constexpr int stall_steps = 4;                   // looks at what it has printed in job_stall
inline constexpr int stall_pause = 8; // times job_stall: longest between looks at what works
// CPU time between two looks that is no work: its clock has steps of 10 ms.
inline constexpr std::chrono::milliseconds stall_idle_use = 25ms;

} // namespace agentd::limits
