// session::core: the calls about tasks. Any strand; see core.hpp.
#include "aio/blocking_pool.hpp"
#include "base/at_exit.hpp"
#include "base/log.hpp"
#include "proto/api/json.hpp"
#include "session/answer.hpp"
#include "session/core.hpp"
#include "session/event_hub.hpp"
#include "session/events.hpp"
#include "session/lookup.hpp"
#include "session/submit.hpp"
#include "session/workdir.hpp"
#include "store/events.hpp"
#include "store/idempotency.hpp"
#include "store/notifications.hpp"
#include "store/store.hpp"

#include <fmt/format.h>

namespace agentd::session {
namespace {

base::error draining()
{
    return {errc::draining, "agentd is stopping"};
}

// Nobody's fault, and over when the disk is back.
bool is_disk_trouble(const base::error& why)
{
    return why.is(store::errc::no_space) || why.is(store::errc::io) || why.is(store::errc::corrupt);
}

// Adds a user's message to a task that has not ended.
base::result<std::int64_t> queue_message(
    store::connection& db, const proto::api::task& to, const std::string& text)
{
    if (has_ended(to.state))
        return std::unexpected(
            base::error{errc::task_ended, fmt::format("task {} has ended", to.id.str())});
    const auto pending = store::notifications::count_messages(db, to.id);
    if (pending >= static_cast<std::int64_t>(limits::pending_messages))
        return std::unexpected(base::error{errc::too_many_messages,
            fmt::format("{} messages wait for task {}", pending, to.id.str())});
    store::notifications::row row;
    row.session_id = to.session_id;
    row.task_id = to.id;
    row.kind = store::notifications::kind::user_message;
    row.text = text;
    const auto id = store::notifications::queue(db, row);
    db.append_event(events::message_received(to, id));
    return id;
}

// Asks for the end of a task; one that is queued ends here and now.
core::cancelled request_cancel(store::connection& db, const store::tasks::row& task)
{
    const auto& id = task.shown.id;
    if (has_ended(task.shown.state))
        return {task.shown, true};
    if (!task.shown.cancel_requested && store::tasks::request_cancel(db, id))
        db.append_event(events::task_cancel_requested(task.shown));
    const bool queued = task.shown.state == proto::api::task_state::queued;
    if (queued &&
        store::tasks::finish(
            db, id, proto::api::task_state::cancelled, std::nullopt, base::wall_now()))
        if (const auto ended = store::tasks::find(db, id))
            db.append_event(events::task_finished(ended->shown));
    const auto now = store::tasks::find(db, id);
    return {now ? now->shown : task.shown, false};
}

} // namespace

aio::awaitable<base::result<submitted>> core::submit(
    caller who, proto::api::submit_request what, std::optional<idempotency_key> key)
{
    if (draining_)
        co_return std::unexpected(draining());
    const auto settings = shared_.now.get();
    submission order{who, std::move(what), std::move(key), settings, &shared_.tools, {}};
    if (order.key) { // the answer stands, also when the folder is gone by now
        auto look = [order](
                        store::connection& db) { return earlier_answer(db, order.who, order.key); };
        auto earlier = co_await shared_.db.read(std::move(look));
        if (!earlier)
            co_return std::unexpected(as_answer(std::move(earlier.error())));
        if (*earlier)
            co_return submitted{(*earlier)->answer, base::task_id{(*earlier)->location}};
    }
    const std::int64_t more = order.what.session_id ? 0 : 1;
    bool made = false;
    const auto unless_made = [&] { sessions_ -= made ? 0 : more; };
    const auto sessions = sessions_ += more;
    const base::at_exit counted{unless_made};
    if (more != 0 && sessions > settings->sessions)
        co_return std::unexpected(base::error{errc::too_many_sessions,
            fmt::format("{} sessions are kept already: delete some", sessions - 1)});
    if (!order.what.session_id) {
        auto open = [settings, who, asked = order.what.workdir] {
            return find_workdir(*settings, who, asked);
        };
        auto place = co_await shared_.blocking.run(std::move(open));
        if (!place)
            co_return std::unexpected(std::move(place.error()));
        order.workdir = std::move(*place);
    }
    auto store = [order](store::connection& db) { return store_submission(db, order); };
    auto stored =
        co_await shared_.db.write(store::step::submit_task, store::durability::power_loss, store);
    made = stored && stored->new_session;
    if (order.workdir.made && !made) {
        auto tidy = [path = order.workdir.path] { return remove_workdir(path); };
        const bool gone = co_await shared_.blocking.run(std::move(tidy));
        if (!gone)
            log::warning("session.leftover", {}, "cannot remove {}", order.workdir.path);
    }
    if (!stored)
        co_return std::unexpected(as_answer(std::move(stored.error())));
    registry_.signal(stored->session, signal::look_for_work{});
    co_return submitted{std::move(stored->answer), stored->task};
}

aio::awaitable<base::result<proto::api::task>> core::task(caller who, std::string id)
{
    auto find = [who, id](store::connection& db) -> base::result<proto::api::task> {
        auto row = lookup::task(db, who, id);
        if (!row)
            return std::unexpected(std::move(row.error()));
        return std::move(row->shown);
    };
    auto found = co_await shared_.db.read(std::move(find));
    co_return answer(std::move(found));
}

aio::awaitable<base::result<proto::api::task>> core::wait(
    caller who, std::string id, std::chrono::milliseconds limit)
{
    const auto deadline = base::mono_now() + limit;
    auto found = co_await task(who, std::move(id));
    if (!found || has_ended(found->state) || limit.count() == 0)
        co_return found;
    store::events::filter end;
    end.task_id = found->id;
    end.types = {"task.finished"};
    const auto strand = co_await aio::asio::this_coro::executor;
    auto news = co_await shared_.hub.subscribe(strand, std::move(end));
    // Looked at again: it may have ended before the subscription began.
    const std::string whole = found->id.str();
    auto now = co_await task(who, whole);
    while (now && !has_ended(now->state) && base::mono_now() < deadline) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - base::mono_now());
        const auto told = co_await news->next(left);
        if (told.empty() && news->lagged())
            break; // nothing more will come: the caller gets what is known now
        auto later = co_await task(who, whole);
        now = std::move(later);
    }
    co_return now;
}

aio::awaitable<base::result<page<proto::api::task>>> core::tasks(caller who, task_filter which)
{
    auto list = [who, which](store::connection& db) -> base::result<page<proto::api::task>> {
        store::tasks::filter rows;
        rows.owner_uid = who.only();
        rows.states = which.states;
        rows.labels = which.labels;
        rows.limit = which.limit + 1; // one more tells whether there is a next page
        rows.after = which.after;
        if (!which.session_id.empty()) {
            auto session = lookup::session(db, who, which.session_id);
            if (!session)
                return std::unexpected(std::move(session.error()));
            rows.session_id = session->shown.id;
        }
        return page_of(store::tasks::list(db, rows), which.limit, store::events::newest(db));
    };
    auto found = co_await shared_.db.read(std::move(list));
    co_return answer(std::move(found));
}

aio::awaitable<base::result<core::cancelled>> core::cancel(caller who, std::string id)
{
    auto request = [who, id](store::connection& db) -> base::result<cancelled> {
        auto task = lookup::task(db, who, id);
        if (!task)
            return std::unexpected(std::move(task.error()));
        return request_cancel(db, *task);
    };
    auto done = co_await shared_.db.write(
        store::step::request_cancel, store::durability::power_loss, request);
    if (!done && is_disk_trouble(done.error()))
        co_return co_await cancel_unstored(who, std::move(id), std::move(done.error()));
    if (done)
        tell_cancel(done->task);
    co_return answer(std::move(done));
}

void core::tell_cancel(const proto::api::task& of)
{
    if (!has_ended(of.state))
        registry_.signal(of.session_id, signal::cancel{of.id});
    if (of.state == proto::api::task_state::running)
        registry_.release(of.session_id); // it may be held back: suspects.hpp
}

aio::awaitable<base::result<core::cancelled>> core::cancel_unstored(
    caller who, std::string id, base::error why)
{
    auto found = co_await task(who, std::move(id));
    if (!found)
        co_return std::unexpected(std::move(found.error()));
    if (has_ended(found->state))
        co_return cancelled{std::move(*found), true};
    auto request = [task = found->id](store::connection& db) {
        if (const auto row = store::tasks::find(db, task))
            static_cast<void>(request_cancel(db, *row));
    };
    auto again = [this, of = *found] { tell_cancel(of); };
    if (!late_cancels_.add(std::move(request), std::move(again)))
        co_return std::unexpected(as_answer(std::move(why)));
    log::warning("task.cancel_unstored", {found->session_id.str(), found->id.str()},
        "the cancel is not stored yet: {}", why.text);
    tell_cancel(*found);
    found->cancel_requested = true;
    co_return cancelled{std::move(*found), false};
}

aio::awaitable<base::result<submitted>> core::add_message(
    caller who, std::string id, std::string text, std::optional<idempotency_key> key)
{
    if (draining_)
        co_return std::unexpected(draining());
    struct added {
        submitted answer;
        base::session_id session;
        std::int64_t notification = 0; // 0: an earlier call's answer
    };
    auto add = [who, id, text, key](store::connection& db) -> base::result<added> {
        auto earlier = earlier_answer(db, who, key);
        if (!earlier)
            return std::unexpected(std::move(earlier.error()));
        if (*earlier)
            return added{{(*earlier)->answer, base::task_id{(*earlier)->location}}, {}, 0};
        auto task = lookup::task(db, who, id);
        if (!task)
            return std::unexpected(std::move(task.error()));
        auto notification = queue_message(db, task->shown, text);
        if (!notification)
            return std::unexpected(std::move(notification.error()));
        added done{{proto::api::to_json(task->shown), task->shown.id}, task->shown.session_id,
            *notification};
        remember_answer(db, who, key, done.answer);
        return done;
    };
    auto done =
        co_await shared_.db.write(store::step::add_message, store::durability::power_loss, add);
    if (!done)
        co_return std::unexpected(as_answer(std::move(done.error())));
    if (done->notification != 0)
        registry_.signal(done->session, signal::message{done->answer.id, done->notification, text});
    co_return std::move(done->answer);
}

} // namespace agentd::session
