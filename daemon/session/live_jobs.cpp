#include "session/live_jobs.hpp"

#include "base/log.hpp"
#include "jobs/environment.hpp"
#include "session/background_results.hpp"
#include "session/commit.hpp"
#include "session/environment.hpp"
#include "session/steps.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace agentd::session {
namespace {

using proto::api::job_state;

job_state state_of(jobs::ended how)
{
    switch (how) {
    case jobs::ended::completed: return job_state::completed;
    case jobs::ended::timeout: return job_state::timeout;
    case jobs::ended::killed: return job_state::killed;
    case jobs::ended::error: break;
    }
    return job_state::error;
}

void record_end(store::jobs::row& row, const jobs::outcome& what)
{
    auto& job = row.shown;
    job.state = state_of(what.how);
    job.by = what.by ? to_string(*what.by) : "";
    job.reason = what.reason;
    job.exit_code = what.exit_code;
    job.signal = what.signal;
    job.oom = what.oom;
    job.wall_ms = what.wall.count();
    job.cpu_ms = what.cpu.count();
    job.peak_bytes = what.peak_bytes;
    job.output_bytes = what.output_bytes;
    if (what.gap)
        job.gap = proto::api::byte_gap{what.gap->start, what.gap->end};
    job.ended_at = base::wall_now();
    row.preview_head = what.output.head;
    row.preview_tail = what.output.tail;
}

} // namespace

live_jobs::live_jobs(environment& shared, base::session_id session, aio::executor strand,
    inbox& into, on_end ended, on_stall stalled)
    : shared_(shared),
      session_(std::move(session)),
      strand_(strand),
      inbox_(into),
      ended_(std::move(ended)),
      stalled_(std::move(stalled)),
      changed_(strand),
      running_(strand)
{}

std::int64_t live_jobs::count(const base::task_id& of) const
{
    return std::ranges::count_if(
        live_, [&of](const auto& one) { return one.second->row.shown.task_id == of; });
}

std::vector<proto::api::job> live_jobs::shown() const
{
    std::vector<proto::api::job> jobs;
    for (const auto& [id, one] : live_)
        jobs.push_back(one->row.shown);
    return jobs;
}

void live_jobs::ask_to_end(const base::job_id& id, jobs::stopped_by who)
{
    if (const auto found = live_.find(id); found != live_.end())
        found->second->job->stop(who);
    else if (const auto one = starting_.find(id); one != starting_.end())
        one->second = who;
    else
        running_.spawn("job " + id.str(), end_as_lost(id));
}

void live_jobs::ask_to_end(const base::task_id& of, jobs::stopped_by who)
{
    for (const auto& [id, one] : live_)
        if (of.empty() || one->row.shown.task_id == of)
            one->job->stop(who);
}

aio::awaitable<> live_jobs::wait_for_end(base::task_id of)
{
    while (of.empty() ? !live_.empty() : count(of) != 0)
        co_await changed_.wait_until(std::chrono::steady_clock::time_point::max());
}

aio::awaitable<base::result<>> live_jobs::insert(store::jobs::row& row, bool queued)
{
    for (;;) {
        starting_.erase(row.shown.id);
        row.shown.id = base::new_job_id();
        starting_.try_emplace(row.shown.id); // who sees it in the store may ask for its end
        auto work = [&row, queued](
                        store::connection& db) { return steps::queue_job(db, row, queued); };
        auto added = co_await shared_.db.write(
            store::step::queue_job, store::durability::process_death, work);
        if (!added)
            co_return std::unexpected(std::move(added.error()));
        if (*added) // else the id is taken: another one
            co_return base::result<>{};
    }
}

aio::awaitable<> live_jobs::open_account()
{
    if (!logs_claimed_ && shared_.jobs.spool.bounds_sessions())
        co_await claim_logs();
    auto& accounts = shared_.jobs.accounts;
    account_ = accounts.of(session_);
    if (!accounts.wants(session_))
        co_return;
    auto work = [id = session_](store::connection& db) { return store::jobs::used(db, id); };
    const auto used = co_await commit_read(shared_, std::move(work));
    const jobs::session_use before{used.cpu, used.wall, used.output_bytes};
    account_ = accounts.open(session_, before);
}

aio::awaitable<> live_jobs::claim_logs()
{
    auto work = [id = session_](store::connection& db) {
        return store::jobs::ended_of(db, id, limits::jobs_of_session);
    };
    auto ids = co_await commit_read(shared_, std::move(work));
    co_await shared_.jobs.spool.claim(session_, std::move(ids));
    logs_claimed_ = true;
}

aio::awaitable<base::result<tools::started_job>> live_jobs::start(tools::job_order asked)
{
    if (closed_)
        co_return std::unexpected(base::error{jobs::errc::queue_full, "agentd is stopping"});
    if (account_)
        if (auto why = account_->text(account_->over()); !why.empty())
            co_return std::unexpected(base::error{jobs::errc::used_up, std::move(why)});
    auto place = co_await shared_.jobs.job_places.enter(session_);
    if (!place)
        co_return std::unexpected(std::move(place.error()));
    const bool queued = !place->granted();
    auto one = std::make_shared<live>();
    one->row.shown.session_id = session_;
    one->row.shown.task_id = origin_.task;
    one->row.shown.command = asked.command;
    one->row.shown.queued_at = base::wall_now();
    one->row.owner_uid = origin_.owner_uid;
    one->row.timeout_s = asked.timeout.count();
    one->workdir.reset(::fcntl(origin_.workdir_fd, F_DUPFD_CLOEXEC, 0));
    if (!one->workdir)
        co_return std::unexpected(base::system_error("start the job", errno));
    auto inserted = co_await insert(one->row, queued);
    const auto id = one->row.shown.id;
    const auto asked_to_end = std::exchange(starting_[id], std::nullopt);
    starting_.erase(id);
    if (!inserted)
        co_return std::unexpected(std::move(inserted.error()));
    jobs::command what;
    what.text = std::move(asked.command);
    what.workdir_fd = one->workdir.get();
    what.env = origin_.env;
    what.timeout = asked.timeout;
    what.most = asked.most;
    what.session = session_;
    what.input = asked.input;
    one->job =
        std::make_unique<jobs::job>(strand_, shared_.jobs, id, std::move(what), std::move(*place));
    live_.emplace(id, one);
    if (asked_to_end) // while it was being inserted
        one->job->stop(*asked_to_end);
    if (closed_) // likewise
        one->job->stop(jobs::stopped_by::shutdown);
    running_.spawn("job " + id.str(), run(one));
    tools::started_job started;
    started.id = id;
    started.queued = queued;
    co_return started;
}

aio::awaitable<> live_jobs::run(std::shared_ptr<live> what)
{
    auto& row = what->row;
    const bool starts = co_await what->job->ready();
    if (starts) {
        row.shown.state = job_state::running;
        row.shown.started_at = base::wall_now();
        auto begin = [row](store::connection& db) { steps::start_job(db, row, 0); };
        try {
            co_await commit(shared_, store::step::start_job, std::move(begin));
        } catch (const broken_step& why) { // it runs all the same; its end is what counts
            log::error("job.broken", {session_.str()}, "{}", why.what());
        }
    }
    const auto id = row.shown.id;
    what->job->when_launched([this, id](jobs::process_identity who) {
        running_.spawn("job process", note_process(id, std::move(who)));
    });
    what->job->when_stalled([this, shown = row.shown](jobs::stall how) {
        running_.spawn("job stall", tell_stall(shown, std::move(how)));
    });
    const auto outcome = co_await what->job->run();
    record_end(row, outcome);
    auto broken = co_await store_end(row);
    log::info("job.finished", {session_.str(), row.shown.task_id.str(), id.str()}, "job ended: {}",
        to_string(row.shown.state));
    live_.erase(id);
    changed_.notify_all();
    ended_(row.shown.task_id, std::move(broken));
}

aio::awaitable<std::string> live_jobs::store_end(const store::jobs::row& row)
{
    auto end = [row](store::connection& db) { return steps::finish_job(db, row); };
    std::string broken;
    try {
        const auto news = co_await commit(shared_, store::step::finish_job, std::move(end));
        if (news != 0)
            inbox_.push(news, job_news{row.shown, row.preview_head, row.preview_tail});
    } catch (const broken_step& why) { // told as lost after the next start, or when it is killed
        broken = why.what();
        log::error("job.broken", {session_.str()}, "{}", broken);
    }
    co_return broken;
}

// Cases: its end is stored already, and who asked has not seen that yet; or the store has refused
// its end, and has it running with nobody there.
aio::awaitable<> live_jobs::end_as_lost(base::job_id id)
{
    auto work = [id](store::connection& db) { return store::jobs::find(db, id); };
    auto found = co_await commit_read(shared_, std::move(work));
    base::task_id of; // none: nothing has happened, but a session that was made for this may go
    if (found && found->shown.session_id == session_ && !has_ended(found->shown.state)) {
        of = found->shown.task_id;
        co_await lose(*found);
    }
    ended_(of, {});
}

aio::awaitable<> live_jobs::lose(store::jobs::row& row)
{
    auto& job = row.shown;
    job.state = job_state::lost;
    job.reason = "its end could not be stored";
    job.ended_at = base::wall_now();
    auto kept = co_await shared_.jobs.spool.measure(job.id);
    job.output_bytes = kept.size;
    if (kept.gap)
        job.gap = proto::api::byte_gap{kept.gap->start, kept.gap->end};
    row.preview_head = std::move(kept.output.head);
    row.preview_tail = std::move(kept.output.tail);
    const auto broken = co_await store_end(row);
    if (broken.empty())
        log::warning("job.lost", {session_.str(), job.task_id.str(), job.id.str()}, "job lost: {}",
            job.reason);
}

aio::awaitable<> live_jobs::note_process(base::job_id id, jobs::process_identity who)
{
    auto work = [id, who](store::connection& db) {
        store::jobs::note_process(db, id, who.pid, who.start, who.boot_id);
    };
    const auto noted = co_await shared_.db.write(
        store::step::start_job, store::durability::process_death, std::move(work));
    if (!noted)
        log::warning("job.process_lost", {}, "cannot note a job's process: {}", noted.error().text);
}

aio::awaitable<> live_jobs::tell_stall(proto::api::job job, jobs::stall how)
{
    job.output_bytes = how.output_bytes;
    job_news news;
    news.stalled = stall_entry(job, how.silent, how.last_output);
    news.job = std::move(job);
    const auto& shown = news.job;
    auto note = [shown, silent = how.silent, entry = news.stalled](
                    store::connection& db) { return steps::stall_job(db, shown, silent, entry); };
    std::int64_t id = 0;
    try {
        const auto queued = co_await commit(shared_, store::step::stall_job, std::move(note));
        id = queued;
    } catch (const broken_step& why) {
        log::error("job.broken", {session_.str()}, "{}", why.what());
    }
    if (id == 0)
        co_return;
    log::info("job.stalled", {session_.str(), shown.task_id.str(), shown.id.str()},
        "job waits for input, silent for {} ms", how.silent.count());
    const auto of = shown.task_id;
    inbox_.push(id, std::move(news));
    changed_.notify_all();
    stalled_(of);
}

} // namespace agentd::session
