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
        row.shown.id = base::new_job_id();
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
    if (!shared_.jobs.accounts.wants(session_))
        co_return;
    auto work = [id = session_](store::connection& db) { return store::jobs::cpu_used(db, id); };
    const auto used = co_await commit_read(shared_, std::move(work));
    shared_.jobs.accounts.open(session_, used);
}

aio::awaitable<base::result<tools::started_job>> live_jobs::start(tools::job_order asked)
{
    if (closed_)
        co_return std::unexpected(base::error{jobs::errc::queue_full, "agentd is stopping"});
    const auto account = shared_.jobs.accounts.of(session_);
    if (account && account->used_up())
        co_return std::unexpected(base::error{jobs::errc::used_up, account->text()});
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
    if (!inserted)
        co_return std::unexpected(std::move(inserted.error()));
    const auto id = one->row.shown.id;
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
    if (closed_) // while it was being inserted
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
    std::int64_t news = 0;
    std::string broken;
    auto end = [row](store::connection& db) { return steps::finish_job(db, row); };
    try {
        const auto queued = co_await commit(shared_, store::step::finish_job, std::move(end));
        news = queued;
    } catch (const broken_step& why) { // told as lost after the next start
        broken = why.what();
        log::error("job.broken", {session_.str()}, "{}", broken);
    }
    const auto& job = row.shown;
    log::info("job.finished", {session_.str(), job.task_id.str(), job.id.str()}, "job ended: {}",
        to_string(job.state));
    if (news != 0)
        inbox_.push(news, job_news{row.shown, row.preview_head, row.preview_tail});
    live_.erase(job.id);
    changed_.notify_all();
    ended_(job.task_id, std::move(broken));
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

tools::job_view live_jobs::view_of(const proto::api::job& job) const
{
    tools::job_view view;
    view.id = job.id;
    view.command = job.command;
    view.status = to_string(job.state);
    view.by = job.by;
    view.reason = job.reason;
    view.exit_code = job.exit_code;
    view.signal = job.signal;
    view.wall = std::chrono::milliseconds{job.wall_ms.value_or(0)};
    view.output_bytes = job.output_bytes;
    view.ended = has_ended(job.state);
    if (const auto found = live_.find(job.id); found != live_.end()) {
        const auto now = found->second->job->look();
        view.wall = now.wall;
        view.output_bytes = now.output_bytes;
        view.stalls = now.stalls;
    }
    return view;
}

aio::awaitable<std::vector<tools::job_view>> live_jobs::list()
{
    auto work = [id = session_](store::connection& db) {
        store::jobs::filter all;
        all.session_id = id;
        all.limit = limits::jobs_listed_to_model;
        return store::jobs::list(db, all);
    };
    auto found = co_await commit_read(shared_, std::move(work));
    std::vector<tools::job_view> views;
    // However many have ended since, a live one is always told of.
    for (const auto& [id, one] : live_)
        if (std::ranges::find(found, id, &proto::api::job::id) == found.end())
            found.push_back(one->row.shown);
    for (auto job = found.rbegin(); job != found.rend(); ++job) // the store has the newest first
        views.push_back(view_of(*job));
    co_return views;
}

aio::awaitable<std::optional<tools::job_view>> live_jobs::find(base::job_id id)
{
    auto work = [id](store::connection& db) { return store::jobs::find(db, id); };
    const auto found = co_await commit_read(shared_, std::move(work));
    std::optional<tools::job_view> view;
    if (found && found->shown.session_id == session_)
        view = view_of(found->shown);
    co_return view;
}

aio::awaitable<base::result<tools::job_output>> live_jobs::read_output(
    base::job_id id, std::optional<std::uint64_t> offset, std::size_t limit)
{
    auto view = co_await find(id);
    const std::uint64_t total = view && view->ended ? view->output_bytes : 0;
    auto& spool = shared_.jobs.spool;
    auto asked = offset ? spool.read(id, *offset, limit, total) : spool.read_tail(id, limit, total);
    auto piece = co_await std::move(asked);
    if (!piece)
        co_return std::unexpected(std::move(piece.error()));
    tools::job_output output;
    output.bytes = std::move(piece->bytes);
    output.offset = piece->offset;
    output.next_offset = piece->next_offset;
    if (piece->gap) {
        output.gap_start = piece->gap->start;
        output.gap_end = piece->gap->end;
    }
    co_return output;
}

aio::awaitable<std::optional<jobs::input_result>> live_jobs::write_input(
    base::job_id id, std::string text, bool eof)
{
    const auto found = live_.find(id);
    auto to = found == live_.end() ? nullptr : found->second->job->stdin_of();
    if (!to)
        co_return std::nullopt;
    auto writing = jobs::job_input::write(std::move(to), std::move(text), eof);
    co_return co_await std::move(writing);
}

aio::awaitable<std::optional<tools::job_view>> live_jobs::stop(base::job_id id)
{
    ask_to_end(id, jobs::stopped_by::model);
    while (live_.contains(id))
        co_await changed_.wait_until(std::chrono::steady_clock::time_point::max());
    co_return co_await find(id);
}

bool live_jobs::satisfied(const std::vector<base::job_id>& ids, tools::wait_mode mode) const
{
    const auto gone = [this](const base::job_id& id) { return !live_.contains(id); };
    return mode == tools::wait_mode::any ? std::ranges::any_of(ids, gone)
                                         : std::ranges::all_of(ids, gone);
}

std::vector<base::job_id> live_jobs::live_among(std::vector<base::job_id> ids) const
{
    std::erase_if(ids, [this](const base::job_id& id) { return !live_.contains(id); });
    return ids;
}

aio::awaitable<tools::wait_end> live_jobs::wait(
    std::vector<base::job_id> ids, tools::wait_mode mode, std::chrono::seconds limit)
{
    if (ids.empty())
        for (const auto& [id, one] : live_)
            ids.push_back(id);
    const auto deadline = base::mono_now() + limit;
    while (!ids.empty() && !satisfied(ids, mode)) {
        if (inbox_.has_message())
            co_return tools::wait_end::user_message;
        if (inbox_.has_stall(live_among(ids)))
            co_return tools::wait_end::stalled;
        if (base::mono_now() >= deadline)
            co_return tools::wait_end::timed_out;
        co_await changed_.wait_until(deadline);
    }
    co_return tools::wait_end::ended;
}

} // namespace agentd::session
