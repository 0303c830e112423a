// What is run and what came of it: the values that go into and come out of this folder.
// Pure data; any thread.
#pragma once

#include "base/ids.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::jobs {

// The most that a command may use, its whole tree together; 0: no bound.
struct bounds {
    std::chrono::seconds cpu{0};   // what it has used is looked at again and again
    std::int64_t memory_bytes = 0; // needs the controller "memory", else it is not enforced
    std::int64_t processes = 0;    // needs the controller "pids", else it is not enforced
    std::int64_t output_bytes = 0; // all that it may ever write, however little of it is kept
    std::int64_t file_bytes = 0;   // the size of each file that one of its processes writes
};
// Of each the smaller one.
[[nodiscard]] bounds tightest(const bounds& a, const bounds& b);

// What a command has as its stdin.
enum class input {
    none,     // /dev/null
    pipe,     // what is written to it while it runs: see job_input.hpp
    terminal, // the same, and its output and the controlling terminal of its session, too
};

// A command line for /bin/sh -c, where and with what it runs.
struct command {
    std::string text;
    // The folder it starts in, borrowed: open until the command has been launched. It need not
    // have a path any more, but a removed folder is an error.
    int workdir_fd = -1;
    std::vector<std::string> env;          // NAME=VALUE, the whole environment
    std::chrono::milliseconds timeout{0};  // 0: none
    bounds most;                           // besides those of options
    base::session_id session;              // into whose bounds it counts; empty: nobody's
    jobs::input input = jobs::input::none; // of jobs alone
};

// How a command ended; `queued`, `running` and `lost` are not this folder's to say.
enum class ended {
    completed, // the shell exited by itself, whatever its code, or died of a foreign signal
    timeout,   // its time was over and its tree was stopped
    killed,    // stopped by somebody: see stopped_by
    error,     // could not be started: see reason
};

// Who stopped it; the text is what `by` of a job shows.
enum class stopped_by { model, user, task_end, shutdown, memory, disk };

[[nodiscard]] std::string_view to_string(ended);      // "completed", ...
[[nodiscard]] std::string_view to_string(stopped_by); // "model", "task_end", ...

// Bytes of output that were left out: [start, end) of all that was ever written.
struct byte_range {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
    bool operator==(const byte_range&) const = default;
};

// The beginning and the end of an output, and how much is missing between them; with
// left_out == 0 head and tail are one text. Bytes as written.
struct excerpt {
    std::string head;
    std::uint64_t left_out = 0;
    std::string tail;
};

struct outcome {
    ended how = ended::completed;
    std::optional<stopped_by> by; // of killed
    std::string reason;           // of error and of an end by a bound, for people
    std::optional<int> exit_code; // of the shell; exactly one of this and signal once it ran
    std::optional<int> signal;    // that ended the shell
    bool oom = false;             // memory ran out (known with the controller "memory" alone)
    std::chrono::milliseconds wall{0};
    // User and system time: with a leaf of everybody who was ever in it, else of the processes
    // that were waited for.
    std::chrono::milliseconds cpu{0};
    // With the controller "memory" of the tree together, else the largest of one process; nullopt:
    // not known, for it is less than agentd's own, with which the kernel begins to count.
    std::optional<std::int64_t> peak_bytes;
    std::uint64_t output_bytes = 0; // all that was ever written
    // From the first to behind the last byte that the spool lacks (of jobs); usually all of it.
    std::optional<byte_range> gap;
    excerpt output;              // of a job enough for a notification, of a foreground
                                 // command enough for a tool's result
    std::size_t leftovers = 0;   // processes that the shell left behind and that were stopped
    std::size_t unstoppable = 0; // that live on: another user's, or KILL does not end them

    [[nodiscard]] bool leftovers_killed() const { return leftovers != 0; }
};

} // namespace agentd::jobs
