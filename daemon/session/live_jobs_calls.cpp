// live_jobs: what the model asks about the jobs of its session. On the session's strand.
#include "jobs/environment.hpp"
#include "session/commit.hpp"
#include "session/environment.hpp"
#include "session/live_jobs.hpp"

#include <algorithm>

namespace agentd::session {

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
