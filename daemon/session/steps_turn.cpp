// The steps of a turn: its request, its reply, its calls. On the store's writing thread.
#include "base/text.hpp"
#include "session/events.hpp"
#include "session/steps.hpp"

namespace agentd::session::steps {
namespace {

// A user's text that is visible in a reply: what becomes the task's result.
std::optional<std::string> text_of(const model::reply& reply)
{
    std::string all;
    for (const auto& block : reply.content) {
        if (block.kind != model::block_kind::text || base::strip(block.text).empty())
            continue;
        all.append(all.empty() ? "" : "\n\n").append(block.text);
    }
    return all.empty() ? std::nullopt : std::optional{std::move(all)};
}

void write_texts(connection& db, const proto::api::task& task, const turn_end& what)
{
    for (std::size_t i = 0; i < what.reply.content.size(); ++i) {
        const auto& block = what.reply.content[i];
        if (block.kind == model::block_kind::text && !block.text.empty())
            db.append_event(events::model_text(task, what.turn, i, block.text));
    }
}

// The task has got on by a whole turn of this daemon's own: ends of the daemon before it were
// not its fault. A reply that asks for tools is half of one: the other half may be what ends the
// daemon, again and again; and what a start repairs (open_work::prepare) is none of it.
void clear_suspicion(connection& db, const store::tasks::row& task)
{
    if (task.unclean_ends != 0)
        store::tasks::set_unclean_ends(db, task.shown.id, 0);
}

void deliver(connection& db, const proto::api::task& task, std::int64_t message_seq)
{
    for (const auto& told : store::notifications::deliver(db, task.session_id, message_seq))
        db.append_event(events::notification_delivered(told, task.id));
}

} // namespace

std::int64_t begin_turn(connection& db, const store::tasks::row& task, const turn_start& what)
{
    const auto& shown = task.shown;
    auto seq = what.pending_seq;
    if (!what.pending.empty() && seq == 0) {
        store::messages::row row;
        row.shown.role = "user";
        row.shown.epoch = what.epoch;
        row.shown.content = what.pending;
        row.shown.task_id = shown.id;
        row.shown.created_at = base::wall_now();
        row.answered = false;
        seq = store::messages::append(db, shown.session_id, row);
    } else if (!what.pending.empty()) {
        store::messages::rewrite(db, shown.session_id, seq, what.pending, shown.id);
    }
    for (const auto id : what.attach)
        store::notifications::attach(db, id, seq);
    if (what.got_on)
        clear_suspicion(db, task);
    db.append_event(events::turn_started(shown, what.turn));
    return seq;
}

std::int64_t complete_reply(connection& db, const store::tasks::row& task, const turn_end& what)
{
    const auto& shown = task.shown;
    const auto& id = shown.session_id;
    const auto used = model::billed_usage(what.reply);
    const proto::api::usage usage{used.input, used.output, used.cache_read, used.cache_write};
    const bool refused = what.reply.stop == model::stop_reason::refusal;
    std::int64_t seq = 0;
    if (what.calls.empty())
        clear_suspicion(db, task);
    if (what.pending_seq != 0 && !refused) {
        store::messages::mark_answered(db, id, what.pending_seq);
        deliver(db, shown, what.pending_seq);
    }
    if (!what.content.empty()) {
        store::messages::row row;
        row.shown.role = "assistant";
        row.shown.epoch = what.epoch;
        row.shown.content = what.content;
        row.shown.task_id = shown.id;
        row.shown.created_at = base::wall_now();
        seq = store::messages::append(db, id, row);
    }
    store::tasks::add_turn(db, shown.id, usage, what.cost_usd, to_string(what.reply.stop),
        refused ? std::nullopt : text_of(what.reply));
    store::tasks::set_elapsed(db, shown.id, what.elapsed_ms);
    store::sessions::add_usage(db, id, usage, what.cost_usd);
    if (!refused) {
        store::sessions::set_context(db, id, what.context_tokens);
        write_texts(db, shown, what);
    }
    db.append_event(events::turn_finished(shown, what.turn, what.reply, what.cost_usd));
    for (auto call : what.calls) {
        call.message_seq = seq;
        store::calls::insert(db, id, call);
        if (call.state == store::calls::state::started)
            db.append_event(events::tool_started(shown, call));
    }
    return seq;
}

void bill(
    connection& db, const store::tasks::row& task, const proto::api::usage& used, double cost_usd)
{
    store::tasks::add_usage(db, task.shown.id, used, cost_usd);
    store::sessions::add_usage(db, task.shown.session_id, used, cost_usd);
}

void begin_call(connection& db, const store::tasks::row& task, const store::calls::row& call)
{
    store::calls::start(db, task.shown.session_id, call.message_seq, call.position);
    db.append_event(events::tool_started(task.shown, call));
}

void finish_call(connection& db, const store::tasks::row& task, const store::calls::row& call,
    std::chrono::milliseconds wall)
{
    store::calls::finish(
        db, task.shown.session_id, call.message_seq, call.position, call.text, call.is_error);
    db.append_event(events::tool_finished(task.shown, call, wall));
}

} // namespace agentd::session::steps
