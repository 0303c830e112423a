// The steps from a task's start to its end. On the store's writing thread.
#include "session/events.hpp"
#include "session/steps.hpp"
#include "store/notifications.hpp"

#include <algorithm>

namespace agentd::session::steps {
namespace {

using proto::api::jobs_at_end;
using proto::api::session_state;
using proto::api::task_state;

job_news job_news_of(store::jobs::row row, std::string stalled)
{
    return {std::move(row.shown), std::move(row.preview_head), std::move(row.preview_tail),
        std::move(stalled)};
}

// Another model or another tool set begins a new epoch; the system prompt stays.
void renew_epoch(connection& db, opened_task& open, std::string_view tools)
{
    if (open.epoch.model == open.task.shown.model && open.epoch.tools == tools)
        return;
    open.epoch.number += 1;
    open.epoch.model = open.task.shown.model;
    open.epoch.tools = tools;
    store::messages::insert_epoch(db, open.session.shown.id, open.epoch);
    store::sessions::set_model(db, open.session.shown.id, open.epoch.model, open.epoch.number);
    open.session.shown.epoch = open.epoch.number;
    open.session.shown.model = open.epoch.model;
}

// Calls of the newest reply, if its results are not in the history yet.
std::vector<store::calls::row> open_calls(connection& db, const opened_task& open)
{
    if (open.history.empty() || open.history.back().shown.role != "assistant")
        return {};
    return store::calls::of_message(db, open.session.shown.id, open.history.back().shown.seq);
}

// Whoever was answered that a task is being cancelled has to find it cancelled.
bool is_cancelled(connection& db, const base::task_id& id)
{
    const auto now = store::tasks::find(db, id);
    return now && now->shown.cancel_requested;
}

void end_session_work(connection& db, const base::session_id& id)
{
    store::sessions::set_state(db, id, session_state::idle);
}

} // namespace

namespace {

// What the message with this seq carries; 0: what none does.
std::vector<waiting_news> news_in(
    connection& db, const base::session_id& id, const base::task_id& task, std::int64_t message_seq)
{
    std::vector<waiting_news> all;
    for (auto& row : store::notifications::undelivered(db, id)) {
        if (row.message_seq != message_seq)
            continue;
        waiting_news one;
        one.id = row.id;
        if (row.kind == store::notifications::kind::user_message) {
            if (row.task_id != task)
                continue;
            one.text = std::move(row.text);
        } else {
            auto job = store::jobs::find(db, row.job_id);
            if (!job)
                continue; // deleted together with its session's other things
            one.job = job_news_of(std::move(*job), std::move(row.text)); // "": its end
        }
        all.push_back(std::move(one));
    }
    return all;
}

} // namespace

std::vector<waiting_news> news_of(
    connection& db, const base::session_id& id, const base::task_id& task)
{
    return news_in(db, id, task, 0); // else an unanswered message carries it already
}

std::optional<opened_task> open_task(
    connection& db, const base::session_id& id, std::string_view tools)
{
    opened_task open;
    auto task = store::tasks::open_of(db, id);
    open.resumed = task.has_value();
    if (!task)
        task = store::tasks::next_queued(db, id);
    auto session = store::sessions::find(db, id);
    if (!task || !session)
        return std::nullopt;
    open.task = std::move(*task);
    open.session = std::move(*session);
    if (open.resumed && open.task.shown.state == task_state::waiting) {
        // Its jobs ended with the daemon: there is something to tell, or nothing to wait for.
        end_waiting(db, open.task);
        open.task.shown.state = task_state::running;
    }
    if (!open.resumed) {
        const auto now = base::wall_now();
        if (!store::tasks::start(db, open.task.shown.id, now))
            return std::nullopt;
        open.task.shown.state = task_state::running;
        open.task.shown.started_at = now;
        store::sessions::set_state(db, id, session_state::running);
        db.append_event(events::task_started(open.task.shown));
    }
    open.epoch = store::messages::find_epoch(db, id, open.session.shown.epoch)
                     .value_or(store::messages::epoch{});
    if (!open.resumed)
        renew_epoch(db, open, tools);
    open.history = store::messages::history(db, id, open.epoch.number);
    open.calls = open_calls(db, open);
    open.news = news_of(db, id, open.task.shown.id);
    if (!open.history.empty() && !open.history.back().answered)
        open.carried = news_in(db, id, open.task.shown.id, open.history.back().shown.seq);
    open.live_jobs = store::jobs::count_live(db, open.task.shown.id);
    return open;
}

happened::settled settle(connection& db, const store::tasks::row& task)
{
    using found = happened::settled::found;
    const auto& shown = task.shown;
    const bool detach = shown.jobs_at_end == jobs_at_end::detach;
    if (is_cancelled(db, shown.id))
        return {found::cancelled};
    if (store::notifications::count_messages(db, shown.id) != 0)
        return {found::news};
    if (!detach) {
        // Ends of jobs that jobs_at_end = kill has stopped are left for the next task.
        const auto news = news_of(db, shown.session_id, shown.id);
        const auto counts = [](const waiting_news& one) {
            return !one.job || one.job->job.by != "task_end";
        };
        if (std::ranges::any_of(news, counts))
            return {found::news};
        if (store::jobs::count_live(db, shown.id) != 0)
            return {found::live_jobs};
    }
    const auto now = base::wall_now();
    if (store::tasks::finish(db, shown.id, task_state::succeeded, std::nullopt, now)) {
        end_session_work(db, shown.session_id);
        if (const auto ended = store::tasks::find(db, shown.id))
            db.append_event(events::task_finished(ended->shown));
    }
    return {found::finished};
}

void begin_waiting(connection& db, const store::tasks::row& task)
{
    if (!store::tasks::set_waiting(db, task.shown.id, true))
        return;
    store::tasks::set_at_work(db, task.shown.id, false);
    if (task.unclean_ends != 0) // see steps_turn.cpp
        store::tasks::set_unclean_ends(db, task.shown.id, 0);
    store::sessions::set_state(db, task.shown.session_id, session_state::waiting);
    db.append_event(events::task_waiting(task.shown, store::jobs::count_live(db, task.shown.id)));
}

void end_waiting(connection& db, const store::tasks::row& task)
{
    if (!store::tasks::set_waiting(db, task.shown.id, false))
        return;
    store::tasks::set_at_work(db, task.shown.id, true);
    store::sessions::set_state(db, task.shown.session_id, session_state::running);
}

namespace {

// The refused message goes, what it carried is queued again, a new epoch begins. The epoch's
// number; 0: there is none to follow.
std::int64_t begin_epoch_without(
    connection& db, const base::session_id& id, std::int64_t refused_seq)
{
    const auto session = store::sessions::find(db, id);
    auto epoch = session ? store::messages::find_epoch(db, id, session->shown.epoch) : std::nullopt;
    if (!epoch)
        return 0;
    epoch->number += 1;
    store::messages::insert_epoch(db, id, *epoch);
    store::sessions::set_model(db, id, epoch->model, epoch->number);
    store::messages::end_at(db, id, refused_seq, epoch->number);
    store::notifications::detach_all(db, id, refused_seq);
    return epoch->number;
}

std::vector<std::int64_t> carried_by(
    connection& db, const base::session_id& id, std::int64_t message_seq)
{
    std::vector<std::int64_t> ids;
    for (const auto& row : store::notifications::undelivered(db, id))
        if (message_seq != 0 && row.message_seq == message_seq)
            ids.push_back(row.id);
    return ids;
}

} // namespace

std::vector<std::int64_t> finish_task(
    connection& db, const store::tasks::row& task, const abandoned& what)
{
    const auto& shown = task.shown;
    const auto& id = shown.session_id;
    std::vector<std::int64_t> queued_again;
    store::messages::row row;
    row.shown.role = "user";
    row.shown.epoch = what.epoch;
    row.shown.task_id = shown.id;
    row.shown.created_at = base::wall_now();
    row.answered = false;
    if (what.refused) {
        queued_again = carried_by(db, id, what.pending_seq);
        if (const auto epoch = begin_epoch_without(db, id, what.pending_seq); epoch != 0)
            row.shown.epoch = epoch;
        if (!what.replacement.empty()) {
            row.shown.content = what.replacement;
            static_cast<void>(store::messages::append(db, id, row));
        }
    } else if (!what.pending.empty() && what.pending_seq != 0) {
        store::messages::rewrite(db, id, what.pending_seq, what.pending, shown.id);
    } else if (!what.pending.empty()) {
        row.shown.content = what.pending;
        static_cast<void>(store::messages::append(db, id, row));
    }
    const auto state = is_cancelled(db, shown.id) ? task_state::cancelled : what.how.state;
    std::optional<proto::api::task_error> error;
    if (state == task_state::failed)
        error = proto::api::task_error{
            what.how.type, what.how.message, what.how.status, what.how.request_id};
    if (!store::tasks::finish(db, shown.id, state, error, base::wall_now()))
        return queued_again;
    end_session_work(db, id);
    if (const auto ended = store::tasks::find(db, shown.id))
        db.append_event(events::task_finished(ended->shown));
    return queued_again;
}

bool fail_next(connection& db, const base::session_id& id, const ending& how)
{
    auto task = store::tasks::open_of(db, id);
    if (!task)
        task = store::tasks::next_queued(db, id);
    if (!task)
        return false;
    abandoned end;
    end.how = how;
    static_cast<void>(finish_task(db, *task, end));
    return true;
}

} // namespace agentd::session::steps
