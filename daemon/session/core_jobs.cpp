// session::core: the calls about jobs. Any strand; see core.hpp.
#include "jobs/environment.hpp"
#include "session/answer.hpp"
#include "session/core.hpp"
#include "session/event_hub.hpp"
#include "session/lookup.hpp"
#include "store/events.hpp"
#include "store/jobs.hpp"
#include "store/store.hpp"
#include "store/tasks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace agentd::session {
namespace {

// What the spool has of a job that has ended / still runs.
std::uint64_t total_of(const proto::api::job& job)
{
    return has_ended(job.state) ? job.output_bytes : 0;
}

base::error not_kept(base::error why)
{
    if (why.is(jobs::errc::no_output))
        return {errc::gone, std::move(why.text)};
    return {errc::storage_failed, std::move(why.text)};
}

jobs::former_run read_running(store::connection& db)
{
    using proto::api::task_state;
    jobs::former_run found;
    const auto note = [&found](std::string_view name, const std::string& id) {
        found.variables.push_back(fmt::format("{}={}", name, id));
    };
    for (const auto& job : store::jobs::live(db)) {
        note("AGENTD_JOB_ID", job.shown.id.str());
        note("AGENTD_TASK_ID", job.shown.task_id.str()); // it may have ended before its job
        if (job.pid != 0)
            found.shells.push_back({job.pid, job.pid_start, job.boot_id});
    }
    store::tasks::filter open; // their calls of bash
    open.states = {task_state::running, task_state::waiting};
    open.limit = std::numeric_limits<std::int32_t>::max();
    for (const auto& task : store::tasks::list(db, open))
        note("AGENTD_TASK_ID", task.id.str());
    return found;
}

} // namespace

aio::awaitable<base::result<jobs::former_run>> core::was_running()
{
    co_return co_await shared_.db.read(read_running);
}

aio::awaitable<base::result<proto::api::job>> core::job(caller who, std::string id)
{
    auto find = [who, id](store::connection& db) -> base::result<proto::api::job> {
        auto row = lookup::job(db, who, id);
        if (!row)
            return std::unexpected(std::move(row.error()));
        return std::move(row->shown);
    };
    auto found = co_await shared_.db.read(std::move(find));
    co_return answer(std::move(found));
}

aio::awaitable<base::result<page<proto::api::job>>> core::jobs(caller who, job_filter which)
{
    auto list = [who, which](store::connection& db) -> base::result<page<proto::api::job>> {
        store::jobs::filter rows;
        rows.owner_uid = who.only();
        rows.states = which.states;
        rows.limit = which.limit + 1;
        rows.after = which.after;
        if (!which.session_id.empty()) {
            auto session = lookup::session(db, who, which.session_id);
            if (!session)
                return std::unexpected(std::move(session.error()));
            rows.session_id = session->shown.id;
        }
        if (!which.task_id.empty()) {
            auto task = lookup::task(db, who, which.task_id);
            if (!task)
                return std::unexpected(std::move(task.error()));
            rows.task_id = task->shown.id;
        }
        return page_of(store::jobs::list(db, rows), which.limit, store::events::newest(db));
    };
    auto found = co_await shared_.db.read(std::move(list));
    co_return answer(std::move(found));
}

aio::awaitable<base::result<output_piece>> core::job_output(
    caller who, std::string id, output_range which)
{
    for (;;) {
        // Read before the output: if it had ended by then, the output was whole.
        const auto known = co_await job(who, id);
        if (!known)
            co_return std::unexpected(known.error());
        auto& spool = shared_.jobs.spool;
        const auto total = total_of(*known);
        auto reading = which.times ? spool.read_timed(known->id, which.offset, which.limit, total)
                                   : spool.read(known->id, which.offset, which.limit, total);
        auto piece = co_await std::move(reading);
        if (!piece)
            co_return std::unexpected(not_kept(std::move(piece.error())));
        output_piece out;
        out.bytes = std::move(piece->bytes);
        out.times = std::move(piece->times);
        out.next_offset = piece->next_offset;
        if (piece->gap)
            out.gap = {piece->gap->start, piece->gap->end};
        out.ended = has_ended(known->state) && out.next_offset >= known->output_bytes;
        const bool something = !out.bytes.empty() || out.gap.end != out.gap.start || out.ended;
        if (something || !which.follow)
            co_return out;
        const auto now = co_await spool.wait_for_more(known->id, which.offset);
        if (now.size > which.offset)
            continue;
        // Its output has ended, and its end is just being stored.
        co_await aio::sleep_for(limits::output_recheck);
    }
}

aio::awaitable<base::result<std::uint64_t>> core::tail_offset(
    caller who, std::string id, std::size_t lines)
{
    const auto known = co_await job(who, id);
    if (!known)
        co_return std::unexpected(known.error());
    auto piece = co_await shared_.jobs.spool.read_lines(
        known->id, lines, limits::tail_bytes, total_of(*known));
    if (!piece)
        co_return std::unexpected(not_kept(std::move(piece.error())));
    co_return piece->offset;
}

aio::awaitable<base::result<proto::api::job>> core::kill_job(caller who, std::string id)
{
    auto found = co_await job(who, std::move(id));
    if (!found || has_ended(found->state))
        co_return found;
    store::events::filter end;
    end.session_id = found->session_id;
    end.types = {"job.finished"};
    const auto strand = co_await aio::asio::this_coro::executor;
    auto news = co_await shared_.hub.subscribe(strand, std::move(end));
    registry_.signal(found->session_id, signal::kill_job{found->id});
    const std::string whole = found->id.str();
    const auto deadline = base::mono_now() + limits::kill_deadline;
    auto now = co_await job(who, whole);
    while (now && !has_ended(now->state) && base::mono_now() < deadline) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - base::mono_now());
        const auto told = co_await news->next(left);
        if (told.empty() && news->lagged())
            break; // nothing more will come: the caller gets what is known now
        auto later = co_await job(who, whole);
        now = std::move(later);
    }
    co_return now;
}

aio::awaitable<base::result<proto::api::input_written>> core::write_input(
    caller who, std::string id, std::string text, bool eof)
{
    const auto found = co_await job(who, std::move(id));
    if (!found)
        co_return std::unexpected(found.error());
    if (has_ended(found->state))
        co_return std::unexpected(base::error{errc::no_input, "the job has ended"});
    auto to = shared_.jobs.inputs.find(found->id);
    if (!to)
        co_return std::unexpected(
            base::error{errc::no_input, "the job takes no input: it did not ask for any"});
    const auto strand = to->strand();
    auto writing = jobs::job_input::write(std::move(to), std::move(text), eof);
    const auto done = co_await aio::on(strand, std::move(writing));
    using stop = jobs::input_stop;
    if (done.why == stop::line_too_long)
        co_return std::unexpected(
            base::error{errc::line_too_long, std::string{reason_of(done.why)}});
    const bool later = done.why == stop::timed_out || done.why == stop::not_started;
    if (done.why != stop::none && !later && done.taken == 0)
        co_return std::unexpected(base::error{errc::no_input, std::string{reason_of(done.why)}});
    proto::api::input_written written;
    written.job_id = found->id;
    written.bytes = done.taken;
    written.complete = done.why == stop::none;
    written.closed = done.closed;
    written.why = to_string(done.why);
    co_return written;
}

} // namespace agentd::session
