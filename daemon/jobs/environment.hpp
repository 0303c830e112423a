// What all commands of the daemon share: the spool, the places, the table of children, the
// settings. Made once by app, outlives every session.
#pragma once

#include "aio/awaitable.hpp"
#include "aio/blocking_pool.hpp"
#include "aio/task_group.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"
#include "base/stdin_limits.hpp"
#include "jobs/bell.hpp"
#include "jobs/children.hpp"
#include "jobs/former.hpp"
#include "jobs/job_input.hpp"
#include "jobs/leaves.hpp"
#include "jobs/places.hpp"
#include "jobs/run_record.hpp"
#include "jobs/session_accounts.hpp"
#include "jobs/spool.hpp"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace agentd::jobs {

enum class leftovers {
    kill, // what the shell left running is stopped when it has exited
    keep, // the job goes on until its tree is empty (jobs alone; a foreground command kills)
};

struct options {
    spool_options spool;
    caps job_caps{
        limits::jobs_per_session, limits::jobs_per_daemon, limits::jobs_queued_per_session};
    caps command_caps{
        limits::foreground_commands, limits::foreground_commands, limits::foreground_queued};
    std::chrono::milliseconds grace = limits::job_grace;
    std::chrono::milliseconds drain = limits::output_drain;
    std::chrono::milliseconds stall = limits::job_stall; // 0: not looked for
    leftovers left_behind = leftovers::kill;
    // The soft descriptor limit that commands get (the one agentd was started with).
    std::optional<std::uint64_t> descriptor_limit;
    bounds most;                          // of every command
    bounds session_most;                  // of all of a session together; no file_bytes
    std::chrono::seconds session_wall{0}; // of all of a session, each by itself, summed; 0: any
    std::string cgroup = "off";           // or auto, or a folder: see leaves.hpp
    pid_t companion = 0;                  // a child that is none of a command's; 0: none
};

// Orphans of commands come to this process from now on, so that no tree gets out of sight.
// Before the first command; app's main does it once.
base::result<> become_subreaper();

// Ends what a run with that spool has left, which was killed: its control groups, then the
// processes of its commands. For whoever holds the lock of the state folder and runs no commands;
// one thread. Blocks for limits::former_end at the most, and for the looks (former.hpp), so for
// less than limits::lock_patience. How many there were.
std::size_t end_dead_run(const std::string& spool_folder);

class environment {
public:
    environment(aio::executor io, aio::blocking_pool& blocking_work, options with);
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;

    // Whether there is nothing to look for but what open() finds by itself. Before open().
    [[nodiscard]] bool ended_in_order() const { return !record_.read(); }
    // Makes the spool's folder, finds the means of supervision (leaves.means() says which), ends
    // what a former run has left and starts reaping orphans. `before`: what the state says ran
    // when that did not end in order. Before the first command, before the loop runs or on its
    // one thread. Blocks for limits::former_end at the most, and for the looks (former.hpp).
    base::result<> open(const former_run& before = {});
    // Whether that controller of control groups holds commands to their bounds. After open().
    [[nodiscard]] bool has_controller(std::string_view name) const;
    // A command was given up: these processes of it do not die. The next start tries again. From
    // any strand.
    void note_given_up(const std::vector<pid_t>& processes);
    // For a daemon that ends without an orderly stop: kills all processes of commands, by their
    // leaves and by their marks. Any thread; blocks shortly.
    void kill_all() const;
    // After the last command has ended; needed after open(). From any strand.
    aio::awaitable<> close();

    aio::executor io;
    aio::blocking_pool& blocking;
    const options settings;
    const std::string identity; // see run_record.hpp
    jobs::spool spool;
    places job_places;     // session: enter() before making a job
    places command_places; // taken by foreground itself
    session_accounts accounts;
    jobs::children children;
    jobs::leaves leaves;
    input_table inputs; // of the jobs that take input
    // One thread: a launch takes until the child has got a processor and executed its shell, which
    // no loop should wait for.
    aio::blocking_pool launching{1};
    // One, too, that looks at processes for stalls.
    aio::blocking_pool looking{1};

private:
    base::result<std::size_t> end_former(former_run known);
    void keep_record();
    void leave_record(bool groups_gone);
    void tell_unenforced() const;
    aio::awaitable<> tend_leaves();
    aio::awaitable<> stop_looking_after();

    const run_record record_;
    std::mutex noting_; // of the two below
    run_remains remains_;
    bool remains_changed_ = false; // since they were written
    bool open_ = false;
    aio::executor strand_; // of the reaping and the tending
    bell leaves_due_;
    aio::task_group looking_after_;
};

} // namespace agentd::jobs
