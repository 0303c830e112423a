// The children of this process: the shells that were launched (leaders) and, because it is a
// subreaper, whatever of their trees lost its parent (orphans). Leaders are reaped by whoever
// runs them, orphans here, one by one by pid.
//
// Every process of one command carries a mark, a number in its RLIMIT_LOCKS: inherited by all
// descendants, untouched by setsid, env -i, double forks and exec, readable from outside; the
// kernel has limited nothing by it since 2.4.25. What escapes is an orphan that has set this
// limit itself and has no AGENTD_JOB_ID in its environment.
//
// Any thread: one lock, held for a reaping or a look at the list of children, so that a child
// never disappears from the list while it is read; never across an await. Commands are launched
// on a thread of their own (environment.hpp): the list is that of the main thread, so that a
// leader that is not yet known here is never in it.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "jobs/launcher.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

struct rusage;

namespace agentd::jobs {

// What reaped processes have used: their time summed, the largest resident size of one.
struct usage {
    std::chrono::microseconds cpu{0};
    std::int64_t peak_bytes = 0;

    void add(const usage& other);
};

[[nodiscard]] usage usage_of(const rusage& from);

class children {
public:
    // `space` tells the commands of this daemon from another one's (see mark_space).
    // `companion`: a child that is none of a command's (0: none); others wait for it.
    explicit children(std::uint32_t space, pid_t companion = 0);

    // Starts a leader under a new mark; both are known until reap(). Blocks until it is executed;
    // not on the main thread, see above.
    base::result<launched> launch(launch_plan plan);
    // Takes the leader off the list in one step with `collect`, which waits for it. Its mark is
    // forgotten; gives what the orphans of its tree have used.
    usage reap(const launched_id& leader, const std::function<void()>& collect);

    // The living orphans of one command, after the dead ones have been reaped: those that carry
    // `mark`, and those that carry none but have `variable` (NAME=VALUE) in their environment.
    struct orphan_list {
        std::vector<pid_t> pids;
        bool complete = true; // false: one executes another program just now and shows neither
    };
    [[nodiscard]] orphan_list orphans(std::uint64_t mark, std::string_view variable);
    // CPU time of the orphans of one command that have been reaped.
    [[nodiscard]] std::chrono::microseconds cpu_of_orphans(std::uint64_t mark) const;
    // Kills those that carry `mark`, without a descriptor.
    void kill_orphans(std::uint64_t mark) const;
    // Reaps dead orphans, and kills living ones whose command has ended: nobody waits for them.
    // After each SIGCHLD.
    void sweep();

    [[nodiscard]] std::size_t leaders() const;
    // Whether commands can carry marks. False: the hard limit of RLIMIT_LOCKS is too low and not
    // ours to raise; then launched::variable marks each instead, as long as it is kept.
    [[nodiscard]] bool marks_fit() const { return marks_fit_; }

private:
    [[nodiscard]] std::uint64_t new_mark();
    [[nodiscard]] std::vector<pid_t> list_locked() const; // children that are no leaders
    bool reap_if_dead_locked(pid_t pid);
    void kill_orphans_locked(std::uint64_t mark) const;

    const std::uint64_t prefix_; // of all marks of this daemon
    const pid_t companion_;
    const bool marks_fit_;
    const base::unique_fd own_list_; // our children, readable also when descriptors run out
    std::uint32_t number_ = 0;
    mutable std::mutex lock_;
    std::unordered_set<pid_t> leaders_;
    std::unordered_map<std::uint64_t, usage> used_; // by mark of a leader: its orphans' use
};

// A number of an identity (run_record.hpp), the same after a restart.
[[nodiscard]] std::uint32_t mark_space(std::string_view identity);

// The mark of a process, dead but unreaped ones included; 0: none, or it is gone.
[[nodiscard]] std::uint64_t mark_of(pid_t pid);
[[nodiscard]] bool is_mark(std::uint64_t limit);
// Whether a process carries a mark of the daemon with that space.
[[nodiscard]] bool is_marked(pid_t pid, std::uint32_t space);
// Whether that is what a command gets in its environment where no mark fits; whether one fits.
[[nodiscard]] bool is_mark_variable(std::string_view entry, std::uint32_t space);
[[nodiscard]] bool marks_can_fit();

} // namespace agentd::jobs
