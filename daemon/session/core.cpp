#include "session/core.hpp"

#include "base/log.hpp"
#include "jobs/environment.hpp"
#include "session/answer.hpp"
#include "session/commit.hpp"
#include "session/lookup.hpp"
#include "session/steps.hpp"
#include "store/events.hpp"
#include "store/store.hpp"

namespace agentd::session {

std::string_view error_text(errc value)
{
    switch (value) {
    case errc::not_found: return "no such thing";
    case errc::ambiguous_id: return "ambiguous id";
    case errc::bad_id: return "bad id";
    case errc::invalid_field: return "invalid field";
    case errc::task_ended: return "the task has ended";
    case errc::session_busy: return "the session is busy";
    case errc::too_many_tasks: return "too many tasks wait";
    case errc::too_many_messages: return "too many messages wait";
    case errc::too_many_sessions: return "too many sessions";
    case errc::workspace_denied: return "the workspace is not allowed";
    case errc::key_reused: return "the Idempotency-Key was used with another body";
    case errc::draining: return "agentd is stopping";
    case errc::storage_full: return "the disk is full";
    case errc::storage_failed: return "the state cannot be written";
    case errc::no_input: return "the job takes no input";
    case errc::line_too_long: return "the line is too long";
    case errc::gone: return "not kept any more";
    }
    return "unknown";
}

base::error as_answer(base::error why)
{
    if (why.is(store::errc::no_space))
        return {errc::storage_full, std::move(why.text)};
    if (why.is(store::errc::closed))
        return {errc::draining, "agentd is stopping"};
    if (why.code.category() == std::error_code{store::errc::io}.category())
        return {errc::storage_failed, std::move(why.text)};
    return why;
}

std::optional<double> cost_of(
    const settings& with, const std::string& model, const proto::api::usage& used)
{
    const auto found = with.prices.find(model);
    if (found == with.prices.end())
        return std::nullopt;
    constexpr double per = 1e6;
    const auto& price = found->second;
    return (static_cast<double>(used.input) * price.input +
               static_cast<double>(used.output) * price.output +
               static_cast<double>(used.cache_read) * price.cache_read +
               static_cast<double>(used.cache_write) * price.cache_write) /
        per;
}

core::core(environment& shared)
    : shared_(shared),
      registry_(shared),
      suspects_(shared.io, means_of_trial(), {}),
      late_cancels_(shared)
{}

suspects::means core::means_of_trial()
{
    auto is_cleared = [this](base::task_id id) -> aio::awaitable<bool> {
        auto look = [id](store::connection& db) {
            const auto task = store::tasks::find(db, id);
            return !task || task->shown.ended_at.has_value() || task->unclean_ends == 0;
        };
        co_return co_await commit_read(shared_, std::move(look));
    };
    return {[this](const base::session_id& id) { registry_.hold_back(id); },
        [this](const base::session_id& id) { registry_.release(id); }, std::move(is_cleared)};
}

aio::awaitable<base::result<>> core::recover()
{
    auto look = [](store::connection& db) { return steps::lost_jobs(db); };
    auto lost = co_await shared_.db.read(std::move(look));
    if (!lost)
        co_return std::unexpected(std::move(lost.error()));
    for (auto& job : *lost)
        co_await take_stock(job);
    auto repair = [jobs = std::move(*lost)](
                      store::connection& db) { return steps::recover(db, jobs); };
    auto found =
        co_await shared_.db.write(store::step::recover, store::durability::process_death, repair);
    if (!found)
        co_return std::unexpected(std::move(found.error()));
    sessions_ = found->kept;
    suspects_.try_later(std::move(found->suspects));
    for (const auto& id : found->sessions)
        registry_.signal(id, signal::look_for_work{});
    co_return base::result<>{};
}

aio::awaitable<> core::shut_down()
{
    co_await suspects_.stop();
    co_await late_cancels_.stop();
    co_await registry_.shut_down();
    auto lay_down = [](store::connection& db) { steps::lay_down(db); };
    const auto done = co_await shared_.db.write(
        store::step::wait_for_jobs, store::durability::process_death, std::move(lay_down));
    if (!done)
        log::warning("store.failed", {}, "cannot note the orderly stop: {}", done.error().text);
}

// What a lost job has left of its output.
aio::awaitable<> core::take_stock(store::jobs::row& job)
{
    auto kept = co_await shared_.jobs.spool.measure(job.shown.id);
    job.shown.output_bytes = kept.size;
    if (kept.gap)
        job.shown.gap = proto::api::byte_gap{kept.gap->start, kept.gap->end};
    job.preview_head = std::move(kept.output.head);
    job.preview_tail = std::move(kept.output.tail);
}

aio::awaitable<base::result<store::events::filter>> core::event_filter(
    caller who, std::string task_id, std::string session_id, std::vector<std::string> types)
{
    auto find = [who, task_id, session_id, types](
                    store::connection& db) -> base::result<store::events::filter> {
        store::events::filter which;
        which.types = types;
        which.owner_uid = who.only();
        if (!task_id.empty()) {
            auto task = lookup::task(db, who, task_id);
            if (!task)
                return std::unexpected(std::move(task.error()));
            which.task_id = task->shown.id;
        }
        if (!session_id.empty()) {
            auto session = lookup::session(db, who, session_id);
            if (!session)
                return std::unexpected(std::move(session.error()));
            which.session_id = session->shown.id;
        }
        return which;
    };
    auto found = co_await shared_.db.read(std::move(find));
    co_return answer(std::move(found));
}

aio::awaitable<base::result<counts>> core::count()
{
    auto read = [](store::connection& db) {
        using proto::api::task_state;
        counts all;
        all.sessions = store::sessions::count(db);
        all.tasks_queued = store::tasks::count(db, task_state::queued);
        all.tasks_running = store::tasks::count(db, task_state::running);
        all.tasks_waiting = store::tasks::count(db, task_state::waiting);
        for (const auto& job : store::jobs::live(db)) {
            const bool queued = job.shown.state == proto::api::job_state::queued;
            (queued ? all.jobs_queued : all.jobs_running) += 1;
        }
        all.newest_seq = store::events::newest(db);
        return all;
    };
    auto all = co_await shared_.db.read(read);
    if (all) {
        const auto live = co_await registry_.count_live();
        all->live_sessions = static_cast<std::int64_t>(live);
    }
    co_return answer(std::move(all));
}

} // namespace agentd::session
