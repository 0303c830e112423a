// One command from its launch to the end of its tree: the one way that jobs and foreground
// commands go. job_state decides; this does: launches, waits for the shell, looks at the tree,
// signals it, reaps the shell last, drains the pipe for a bounded time.
// On the strand of its owner.
#pragma once

#include "aio/awaitable.hpp"
#include "aio/task_group.hpp"
#include "base/clock.hpp"
#include "jobs/bell.hpp"
#include "jobs/command.hpp"
#include "jobs/environment.hpp"
#include "jobs/job_input.hpp"
#include "jobs/job_state.hpp"
#include "jobs/leader.hpp"
#include "jobs/leaf.hpp"
#include "jobs/output_sink.hpp"
#include "jobs/pump.hpp"
#include "jobs/session_accounts.hpp"
#include "jobs/tree.hpp"

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace agentd::jobs {

class supervisor {
public:
    struct settings {
        std::string variable; // NAME=VALUE that marks its processes; may be empty
        bool keep_leftovers = false;
        bool gentle_abort = false; // being cancelled is a stop with grace, not a KILL at once
        std::function<void(pid_t)> launched; // called once its shell runs; may be empty
        job_input* input = nullptr;          // its stdin, if that is no /dev/null; borrowed
        std::function<void(std::chrono::milliseconds)> stalled; // called when it waits for that
    };

    supervisor(aio::executor strand, environment& shared, settings with);

    // Runs it and goes on when its tree is gone and `sink` has all its output; a command that
    // cannot be started is ended::error. Once. Nothing about output is filled in.
    // The caller has switched throw_if_cancelled off: a cancellation is an event that ends the
    // tree; aborted() tells of it afterwards.
    aio::awaitable<outcome> run(command what, output_sink& sink);
    [[nodiscard]] bool aborted() const { return aborted_; }

    void stop(stopped_by who); // at any time; the first one counts
    [[nodiscard]] pid_t pid() const { return shell_ ? shell_->id().pid : 0; }

private:
    using clock = job_state::time_point::clock;

    aio::awaitable<outcome> supervise(std::unique_ptr<leader> shell, base::unique_fd output,
        std::chrono::milliseconds timeout, output_sink& sink);
    aio::awaitable<> end_tree(job_state& state, tree& processes, const pump& output);
    aio::awaitable<> notice_abort(job_state& state);
    aio::awaitable<> ring_when_exited();
    using descriptor = boost::asio::posix::basic_stream_descriptor<aio::executor>;
    aio::awaitable<> ring_at(descriptor sign, bool urgent);
    bool watch_rest(const tree& processes);
    // Of these the ones that a control group enforces here; whether any of the command's or of
    // its session's is: then it does not run without a leaf.
    [[nodiscard]] bounds held_here(const bounds& most) const;
    [[nodiscard]] bool needs_leaf() const;
    [[nodiscard]] std::optional<std::chrono::seconds> kernel_cpu_limit() const;
    // Why no command of its session may run; empty: it may.
    [[nodiscard]] std::string session_refusal(const base::session_id& session) const;
    // On the thread that launches; nothing: it was stopped or cancelled while it waited for that.
    struct birth;
    [[nodiscard]] std::optional<birth> launch(const launch_plan& plan);
    aio::awaitable<std::optional<birth>> launch_in_turn(launch_plan plan);
    aio::awaitable<outcome> stopped_before();
    [[nodiscard]] bool watches_cpu() const;
    void watch_use(job_state& state, tree& processes);
    [[nodiscard]] base::mono_time next_use_check(
        base::mono_time looking, std::chrono::microseconds cpu) const;
    void charge(const session_use& used);
    [[nodiscard]] std::string out_of_memory_text() const;
    void name_cause(const job_state& state, const pump& output, outcome& into) const;
    void collect(const job_state& state, const tree& processes, outcome& into);

    const aio::executor strand_;
    environment& shared_;
    const settings with_;
    std::string variable_;
    bounds most_;
    base::mono_time began_{};                  // its launch, or what led to it
    base::mono_time use_check_{};              // when a bound can be met at best
    std::shared_ptr<session_account> account_; // shared with the session's others; null: unbounded
    session_use charged_;                      // to the account
    session_account::short_of session_short_of_ = session_account::short_of::nothing;
    group_bill::memory_of short_of_ = group_bill::memory_of::machine;
    bell wake_;
    std::optional<stopped_by> asked_;
    std::atomic<bool> unwanted_ = false; // asked, or cancelled; read by the thread that launches
    std::optional<leaf> group_;
    std::unique_ptr<leader> shell_;
    bool watching_rest_ = false;
    bool aborted_ = false;
    aio::task_group watchers_; // who waits for exits
    aio::task reading_;        // the pump
};

} // namespace agentd::jobs
