// The jobs of one session while it is live: started for the model, stopped for whoever asks,
// their ends stored and put into the inbox. A coroutine each, on the session's strand.
#pragma once

#include "aio/condition.hpp"
#include "aio/task_group.hpp"
#include "base/unique_fd.hpp"
#include "jobs/job.hpp"
#include "jobs/session_accounts.hpp"
#include "session/inbox.hpp"
#include "store/jobs.hpp"
#include "tools/job_control.hpp"

#include <functional>
#include <map>
#include <memory>

namespace agentd::session {

struct environment;

// What a new job takes from the task that starts it.
struct job_origin {
    base::task_id task;
    std::uint32_t owner_uid = 0;
    int workdir_fd = -1;
    std::vector<std::string> env;
};

class live_jobs final : public tools::job_control {
public:
    // `ended` is called on the strand after a job's end is stored and stands in `into`, or when
    // the store has refused it for good: `broken` is the reason then, else empty.
    using on_end = std::function<void(const base::task_id& of, std::string broken)>;
    // The same after it is stored that a job stalls; never refused.
    using on_stall = std::function<void(const base::task_id& of)>;
    live_jobs(environment& shared, base::session_id session, aio::executor strand, inbox& into,
        on_end ended, on_stall stalled);

    // The task that start() starts jobs for from now on.
    void begin_task(job_origin origin) { origin_ = std::move(origin); }
    // Before the first command of a task: what jobs of earlier runs of the daemon have used, and
    // have on disk, counts.
    aio::awaitable<> open_account();
    // No job is started any more.
    void close() { closed_ = true; }
    // A user's message has come: those who wait for jobs go on.
    void message_came() { changed_.notify_all(); }

    [[nodiscard]] std::size_t count() const { return live_.size(); }
    [[nodiscard]] std::int64_t count(const base::task_id& of) const;
    // What runs or is queued, as far as the store knows it.
    [[nodiscard]] std::vector<proto::api::job> shown() const;
    // Asks one / those of one task (empty: all) to end. One that nobody runs, but the store has
    // running because it refused its end, is given one: it is lost.
    void ask_to_end(const base::job_id& id, jobs::stopped_by who);
    void ask_to_end(const base::task_id& of, jobs::stopped_by who);
    // Goes on when none of the task (empty: none at all) lives.
    aio::awaitable<> wait_for_end(base::task_id of);
    // Goes on when all coroutines are gone.
    aio::awaitable<> join() { return running_.join(); }

    aio::awaitable<base::result<tools::started_job>> start(tools::job_order asked) override;
    aio::awaitable<std::vector<tools::job_view>> list() override;
    aio::awaitable<std::optional<tools::job_view>> find(base::job_id id) override;
    aio::awaitable<base::result<tools::job_output>> read_output(
        base::job_id id, std::optional<std::uint64_t> offset, std::size_t limit) override;
    aio::awaitable<std::optional<jobs::input_result>> write_input(
        base::job_id id, std::string text, bool eof) override;
    aio::awaitable<std::optional<tools::job_view>> stop(base::job_id id) override;
    aio::awaitable<tools::wait_end> wait(
        std::vector<base::job_id> ids, tools::wait_mode mode, std::chrono::seconds limit) override;

private:
    struct live {
        store::jobs::row row;
        base::unique_fd workdir; // a queued one may start after its task's workspace is closed
        std::unique_ptr<jobs::job> job;
    };
    // The whole life of one; shared, because views of it are taken while it ends.
    aio::awaitable<> run(std::shared_ptr<live> what);
    // Stores its end and puts it into the inbox; why the store has refused it, else empty.
    aio::awaitable<std::string> store_end(const store::jobs::row& row);
    // Of one that nobody runs: gives it its end, if the store lacks that.
    aio::awaitable<> end_as_lost(base::job_id id);
    aio::awaitable<> lose(store::jobs::row& row);
    // That it waits for input: stored, then told.
    aio::awaitable<> tell_stall(proto::api::job job, jobs::stall how);
    // Its process, to be recognised after a crash; a failure does not matter to the job.
    aio::awaitable<> note_process(base::job_id id, jobs::process_identity who);
    aio::awaitable<> claim_logs();
    aio::awaitable<base::result<>> insert(store::jobs::row& row, bool queued);
    [[nodiscard]] tools::job_view view_of(const proto::api::job& job) const;
    // Whether that wait is over.
    [[nodiscard]] bool satisfied(const std::vector<base::job_id>& ids, tools::wait_mode mode) const;
    [[nodiscard]] std::vector<base::job_id> live_among(std::vector<base::job_id> ids) const;

    environment& shared_;
    base::session_id session_;
    aio::executor strand_;
    inbox& inbox_;
    on_end ended_;
    on_stall stalled_;
    job_origin origin_;
    bool closed_ = false;
    bool logs_claimed_ = false;
    std::shared_ptr<jobs::session_account> account_; // shared: it is kept as long as this is
    std::map<base::job_id, std::shared_ptr<live>> live_;
    // Those that are being stored, and who has asked for their end meanwhile.
    std::map<base::job_id, std::optional<jobs::stopped_by>> starting_;
    aio::condition changed_;  // a job has ended or stalls, or a message has come
    aio::task_group running_; // last: its coroutines use all the others
};

} // namespace agentd::session
