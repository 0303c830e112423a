#include "session/submit.hpp"

#include "base/text.hpp"
#include "proto/api/json.hpp"
#include "session/events.hpp"
#include "session/lookup.hpp"
#include "session/system_prompt.hpp"
#include "store/messages.hpp"
#include "tools/tool.hpp"

#include <fmt/format.h>

namespace agentd::session {
namespace {

constexpr int accepted = 202;

base::error invalid(std::string_view field, std::string_view reason)
{
    return {errc::invalid_field, fmt::format("field \"{}\": {}", field, reason)};
}

// The session that the task joins, or a new one.
base::result<store::sessions::row> session_for(store::connection& db, const submission& order)
{
    if (order.what.session_id) {
        if (order.what.workdir)
            return std::unexpected(
                invalid("workdir", "a session keeps its own; leave it out with session_id"));
        if (order.what.system)
            return std::unexpected(
                invalid("system", "a session keeps its own; leave it out with session_id"));
        return lookup::session(db, order.who, order.what.session_id->str());
    }
    store::sessions::row row;
    row.shown.id = order.workdir.session;
    row.shown.model = order.what.model.value_or(order.rules->model);
    row.shown.workdir = order.workdir.path;
    row.shown.created_at = row.shown.updated_at = base::wall_now();
    row.owner_uid = order.who.uid;
    row.made_workdir = order.workdir.made;
    if (!store::sessions::insert(db, row))
        return std::unexpected(
            base::error{errc::storage_failed, "the new session's id is taken: try again"});
    store::messages::epoch epoch;
    epoch.model = row.shown.model;
    epoch.system = system_prompt(row.shown.workdir, order.what.system.value_or(""));
    epoch.tools = order.tools->definitions();
    store::messages::insert_epoch(db, row.shown.id, epoch);
    db.append_event(events::session_created(row.shown));
    return row;
}

store::tasks::row task_of(const submission& order, const store::sessions::row& session)
{
    const auto& what = order.what;
    store::tasks::row row;
    row.shown.id = base::new_task_id();
    row.shown.session_id = session.shown.id;
    row.shown.owner_uid = session.owner_uid;
    row.shown.prompt = what.prompt;
    row.shown.model = what.model.value_or(session.shown.model);
    row.shown.labels = what.labels;
    row.shown.priority = what.priority;
    row.shown.jobs_at_end = what.jobs_at_end;
    row.shown.created_at = base::wall_now();
    row.system = what.system.value_or("");
    row.env = what.env;
    row.max_turns = what.max_turns.value_or(order.rules->max_turns);
    row.timeout_s = what.timeout_s.value_or(0);
    row.budget_usd = what.budget_usd;
    row.max_tokens_total = what.max_tokens_total;
    return row;
}

} // namespace

base::result<std::optional<store::idempotency::row>> earlier_answer(
    store::connection& db, const caller& who, const std::optional<idempotency_key>& key)
{
    using found = std::optional<store::idempotency::row>;
    if (!key)
        return found{};
    auto row = store::idempotency::find(db, who.uid, key->path, key->key, base::wall_now());
    if (row && row->body_hash != key->body_hash)
        return std::unexpected(
            base::error{errc::key_reused, "this Idempotency-Key was used with another body"});
    return row;
}

void remember_answer(store::connection& db, const caller& who,
    const std::optional<idempotency_key>& key, const submitted& answer)
{
    if (!key)
        return;
    store::idempotency::row row;
    row.uid = who.uid;
    row.path = key->path;
    row.key = key->key;
    row.body_hash = key->body_hash;
    row.status = accepted;
    row.location = answer.id.str();
    row.answer = answer.answer;
    store::idempotency::insert(db, row, base::wall_now());
}

base::result<stored_submission> store_submission(store::connection& db, const submission& order)
{
    auto earlier = earlier_answer(db, order.who, order.key);
    if (!earlier)
        return std::unexpected(std::move(earlier.error()));
    if (*earlier) {
        stored_submission again;
        again.answer = (*earlier)->answer;
        again.task = base::task_id{(*earlier)->location};
        if (const auto task = store::tasks::find(db, again.task))
            again.session = task->shown.session_id;
        return again;
    }
    const auto waiting = store::tasks::count(db, proto::api::task_state::queued);
    if (waiting >= static_cast<std::int64_t>(order.rules->queued_tasks))
        return std::unexpected(
            base::error{errc::too_many_tasks, fmt::format("{} tasks wait already", waiting)});
    auto session = session_for(db, order);
    if (!session)
        return std::unexpected(std::move(session.error()));
    auto task = task_of(order, *session);
    if (task.budget_usd && !order.rules->prices.contains(task.shown.model))
        return std::unexpected(
            invalid("budget_usd", fmt::format("there is no price for model {}", task.shown.model)));
    if (!store::tasks::insert(db, task))
        return std::unexpected(
            base::error{errc::storage_failed, "the new task's id is taken: try again"});
    db.append_event(events::task_submitted(task.shown));
    stored_submission done;
    done.answer = proto::api::to_json(task.shown);
    done.task = task.shown.id;
    done.session = session->shown.id;
    done.new_session = !order.what.session_id.has_value();
    remember_answer(db, order.who, order.key, {done.answer, done.task});
    return done;
}

} // namespace agentd::session
