// session::core: sessions that leave as JSON Lines and come back. Any strand; see core.hpp.
#include "aio/blocking_pool.hpp"
#include "base/import_limits.hpp"
#include "base/log.hpp"
#include "proto/json/writer.hpp"
#include "session/answer.hpp"
#include "session/core.hpp"
#include "session/events.hpp"
#include "session/import_stage.hpp"
#include "session/lookup.hpp"
#include "session/workdir.hpp"
#include "store/messages.hpp"
#include "store/store.hpp"
#include "store/transcripts.hpp"

#include <fmt/format.h>

namespace agentd::session {
namespace {

using proto::api::export_epoch;
using proto::api::export_message;

base::result<export_piece> piece_of(
    store::connection& db, const caller& who, const std::string& id, const export_cursor& from)
{
    auto row = lookup::session(db, who, id);
    if (!row)
        return std::unexpected(std::move(row.error()));
    export_piece piece;
    piece.next = from;
    const auto& shown = row->shown;
    if (!from.begun) {
        const auto epochs = store::transcripts::epochs(db, shown.id);
        piece.next = {true, static_cast<std::int64_t>(epochs.size()), shown.messages, 0};
        piece.lines = export_line(proto::api::export_head{shown, row->context_tokens});
        for (const auto& epoch : epochs)
            piece.lines += export_line(epoch);
        return piece;
    }
    auto& next = piece.next;
    for (const auto& one : store::transcripts::messages(
             db, shown.id, from.after, from.messages, limits::export_messages)) {
        piece.lines += export_line(one);
        next.after = one.message.seq;
    }
    if (next.after == from.after || next.after >= from.messages) {
        piece.lines += export_line(proto::api::export_end{from.epochs, from.messages});
        piece.last = true;
    }
    return piece;
}

// What the calls that nobody has answered are answered: they ran where the export was made.
std::string cut_off(const std::vector<std::string>& calls)
{
    std::string content;
    {
        proto::json::array_writer blocks{content};
        for (const auto& call : calls)
            blocks.object()
                .member("type", "tool_result")
                .member("tool_use_id", call)
                .member("content",
                    "Error: was cut off and may have had effects: the session was exported "
                    "meanwhile")
                .member("is_error", true);
    }
    return content;
}

struct arrival {
    caller who;
    found_workdir workdir;
    std::shared_ptr<const import_stage> lines; // also the store's, which may outlive the caller
};

base::result<proto::api::session> store_arrival(store::connection& db, const arrival& what)
{
    const auto& check = what.lines->checked();
    store::sessions::row row;
    row.shown = check.head().session;
    row.shown.state = proto::api::session_state::idle;
    row.shown.workdir = what.workdir.path;
    row.made_workdir = what.workdir.made;
    row.owner_uid = what.who.uid;
    // A folder that was made has the new session's name.
    const bool keeps_id = !what.workdir.made && store::sessions::insert(db, row);
    if (!keeps_id) {
        row.shown.id = what.workdir.session;
        if (!store::sessions::insert(db, row))
            return std::unexpected(
                base::error{errc::storage_failed, "the new session's id is taken: try again"});
    }
    const auto& id = row.shown.id;
    store::sessions::set_context(db, id, check.head().context_tokens);
    auto all = what.lines->each([&db, &id](const proto::api::export_record& record) {
        if (const auto* epoch = std::get_if<export_epoch>(&record))
            store::transcripts::put(db, id, *epoch);
        if (const auto* message = std::get_if<export_message>(&record))
            store::transcripts::put(db, id, *message);
    });
    if (!all)
        return std::unexpected(std::move(all.error()));
    if (!check.open_calls().empty()) {
        store::messages::row results;
        results.shown.role = "user";
        results.shown.content = cut_off(check.open_calls());
        results.shown.epoch = row.shown.epoch;
        results.shown.task_id = check.last_task();
        results.shown.created_at = base::wall_now();
        results.answered = false;
        static_cast<void>(store::messages::append(db, id, results));
    }
    db.append_event(events::session_created(row.shown));
    const auto stored = store::sessions::find(db, id);
    return stored ? stored->shown : row.shown;
}

} // namespace

aio::awaitable<base::result<export_piece>> core::export_session(
    caller who, std::string id, export_cursor from)
{
    auto read = [who, id, from](store::connection& db) { return piece_of(db, who, id, from); };
    auto piece = co_await shared_.db.read(std::move(read));
    co_return answer(std::move(piece));
}

aio::awaitable<base::result<proto::api::session>> core::import_session(
    caller who, import_options how, piece_source& from)
{
    if (draining_)
        co_return std::unexpected(base::error{errc::draining, "agentd is stopping"});
    const auto settings = shared_.now.get();
    if (const auto kept = sessions_.load(); kept >= settings->sessions)
        co_return std::unexpected(base::error{errc::too_many_sessions,
            fmt::format("{} sessions are kept already: delete some", kept)});
    auto make = [folder = settings->workspaces] { return import_stage::make(folder); };
    auto made = co_await shared_.blocking.run(std::move(make));
    if (!made)
        co_return std::unexpected(std::move(made.error()));
    // The pool's and the store's, too, which may go on when this is cancelled.
    const auto stage = std::make_shared<import_stage>(std::move(*made));
    for (;;) {
        auto piece = co_await from.next();
        if (!piece)
            co_return std::unexpected(std::move(piece.error()));
        const bool last = piece->empty();
        auto take = [stage, bytes = std::move(*piece)] {
            return bytes.empty() ? stage->finish() : stage->take(bytes);
        };
        auto taken = co_await shared_.blocking.run(std::move(take));
        if (!taken)
            co_return std::unexpected(std::move(taken.error()));
        if (last)
            break;
    }
    auto asked = how.workdir;
    if (!asked && !how.fresh)
        asked = stage->checked().head().session.workdir;
    auto open = [settings, who, asked] { return find_workdir(*settings, who, asked); };
    auto place = co_await shared_.blocking.run(std::move(open));
    if (!place)
        co_return std::unexpected(std::move(place.error()));
    const arrival what{who, *place, stage};
    auto store = [what](store::connection& db) { return store_arrival(db, what); };
    auto stored = co_await shared_.db.write(
        store::step::import_session, store::durability::power_loss, std::move(store));
    sessions_ += stored ? 1 : 0;
    if (!stored && place->made) {
        auto tidy = [path = place->path] { return remove_workdir(path); };
        const bool gone = co_await shared_.blocking.run(std::move(tidy));
        if (!gone)
            log::warning("session.leftover", {}, "cannot remove {}", place->path);
    }
    co_return answer(std::move(stored));
}

} // namespace agentd::session
