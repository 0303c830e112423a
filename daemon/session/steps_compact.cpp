// The steps of a compaction: the conversation as it was, its summary, and the new epoch that
// begins with it, all or nothing. On the store's writing thread.
#include "session/events.hpp"
#include "session/steps.hpp"

namespace agentd::session::steps {
namespace {

using events::purpose;

store::messages::row row_of(std::string_view role, std::string content, std::int64_t epoch,
    const base::task_id& task, bool answered)
{
    store::messages::row row;
    row.shown.role = role;
    row.shown.epoch = epoch;
    row.shown.content = std::move(content);
    row.shown.task_id = task;
    row.shown.created_at = base::wall_now();
    row.answered = answered;
    return row;
}

// It is paid for like any other reply, but is no turn of the task's.
void account(connection& db, const store::tasks::row& task, const summary_reply& made)
{
    const auto used = model::billed_usage(made.reply);
    bill(db, task, {used.input, used.output, used.cache_read, used.cache_write}, made.cost_usd);
    store::tasks::set_elapsed(db, task.shown.id, made.elapsed_ms);
    if (task.unclean_ends != 0) // see steps_turn.cpp
        store::tasks::set_unclean_ends(db, task.shown.id, 0);
    db.append_event(events::turn_finished(
        task.shown, made.turn, made.reply, made.cost_usd, purpose::compaction));
}

} // namespace

void begin_compaction(connection& db, const store::tasks::row& task, std::int64_t turn)
{
    db.append_event(events::turn_started(task.shown, turn, purpose::compaction));
}

std::int64_t compact(connection& db, const store::tasks::row& task, const compaction& what)
{
    namespace messages = store::messages;
    const auto& shown = task.shown;
    const auto& id = shown.session_id;
    const auto old = what.next.number - 1;
    auto asked = what.pending_seq;
    if (asked != 0) {
        messages::rewrite(db, id, asked, what.asked, shown.id);
        store::notifications::detach_all(db, id, asked);
        messages::mark_answered(db, id, asked);
    } else {
        asked = messages::append(db, id, row_of("user", what.asked, old, shown.id, true));
    }
    const auto summary =
        messages::append(db, id, row_of("assistant", what.content, old, shown.id, true));
    auto next = what.next;
    next.first_seq = summary + 1;
    messages::insert_epoch(db, id, next);
    store::sessions::set_model(db, id, next.model, next.number);
    store::sessions::set_context(db, id, 0);
    const auto first =
        messages::append(db, id, row_of("user", what.first, next.number, what.first_of, false));
    account(db, task, what.made);
    events::compacted event;
    event.from_epoch = old;
    event.epoch = next.number;
    event.turn = what.made.turn;
    event.tokens_before = what.tokens_before;
    event.summary_tokens = what.made.reply.usage.output;
    event.reason = what.reason;
    event.form = what.form;
    db.append_event(events::session_compacted(shown, event));
    return first;
}

void fail_compaction(connection& db, const store::tasks::row& task, const failed_compaction& what)
{
    if (what.made)
        account(db, task, *what.made);
    db.append_event(events::session_compaction_failed(
        task.shown, what.turn, what.reason, what.failures, what.gave_up));
}

} // namespace agentd::session::steps
