// What to do next with a running command: pure decisions, no clock and no process of its own.
// The supervisor reports what it sees and does what it is told.
//
//   running   the shell runs (or, with `keep`, what it left behind)
//   ending    TERM was sent: until the grace is over everything may end by itself
//   killing   KILL is sent, again and again, until nothing is left
//
// Cases on the way: the shell ends by itself before a stop or its time is seen: then it
// completed. A stop or a timeout comes first: that names the end, whatever the exit code. What
// is left after the shell's exit goes through `ending` and `killing`, too. An abort (the owner
// is cancelled) skips the grace, and gives up in the end on what not even KILL removes.
#pragma once

#include "jobs/command.hpp"

#include <chrono>
#include <optional>

namespace agentd::jobs {

class job_state {
public:
    using time_point = std::chrono::steady_clock::time_point;

    struct settings {
        std::chrono::milliseconds timeout{0}; // 0: none
        std::chrono::milliseconds grace{0};
        bool keep_leftovers = false;
    };

    job_state(settings with, time_point started);

    // Events.
    void shell_exited(time_point now);
    void stop(stopped_by who); // the first one counts
    void abort(time_point now);
    void bound_met(); // by what it or its session has used: a timeout, too
    // What a look at the tree found beside the shell.
    void saw(std::size_t living);

    enum class step {
        wait,      // until something happens, at most to wake_at()
        look,      // at the tree, then saw()
        terminate, // send TERM
        kill,      // send KILL
        finish,    // the tree is gone
        give_up,   // something is left that cannot be ended
    };
    // To be asked after every event and again after every step but the last ones.
    [[nodiscard]] step next(time_point now);
    [[nodiscard]] time_point wake_at() const { return wake_at_; }

    [[nodiscard]] ended how() const { return how_; }
    [[nodiscard]] std::optional<stopped_by> by() const { return by_; }
    // Whether that is a timeout by a bound that was met.
    [[nodiscard]] bool over_bound() const { return over_bound_; }
    // When it was over: the shell's exit, or with `keep` that of its tree.
    [[nodiscard]] time_point ended_at() const { return ended_at_; }
    // Whether it ended although something lives on.
    [[nodiscard]] bool gave_up() const { return gave_up_; }
    // How many the shell had left behind when it exited by itself and they were stopped.
    [[nodiscard]] std::size_t leftovers() const { return leftovers_; }

private:
    enum class at { running, ending, killing };

    step while_running(time_point now);
    step while_ending(time_point now);
    step while_killing(time_point now);
    step begin_ending(time_point now);
    step begin_killing(time_point now);
    step wait_until(time_point when);
    [[nodiscard]] bool gone() const { return exited_ && seen_ == std::size_t{0}; }

    const settings with_;
    at at_ = at::running;
    bool exited_ = false;
    std::optional<std::size_t> seen_; // by a look since the last wait; nullopt: look again
    std::optional<stopped_by> asked_;
    ended how_ = ended::completed;
    std::optional<stopped_by> by_;
    std::size_t leftovers_ = 0;
    bool aborted_ = false;
    bool bound_met_ = false;
    bool over_bound_ = false;
    bool gave_up_ = false;
    time_point deadline_; // of the timeout
    time_point grace_end_;
    time_point kill_at_{}; // the next KILL
    time_point give_up_at_ = time_point::max();
    time_point wake_at_ = time_point::max();
    time_point ended_at_;
};

} // namespace agentd::jobs
