#include "store/messages.hpp"

#include "store/columns.hpp"

#include <sqlite3.h>

namespace agentd::store::messages {
namespace {

proto::api::message read(const statement& from)
{
    proto::api::message m;
    m.seq = from.integer(0);
    m.epoch = from.integer(1);
    m.task_id = base::task_id{from.text(2)};
    m.created_at = from.time(3);
    m.role = from.text(4);
    m.content = from.text(5);
    return m;
}

// The session counts its messages, so the count is the newest one's seq.
std::int64_t next_seq(connection& db, const base::session_id& id, base::wall_time now)
{
    auto counted =
        db.prepare("UPDATE sessions SET messages = messages + 1, updated_at = ? WHERE id = ? "
                   "RETURNING messages");
    counted.bind(now).bind(id.str());
    if (!counted.next())
        throw sqlite_error{SQLITE_CONSTRAINT, "cannot append a message: no such session"};
    return counted.integer(0);
}

std::int64_t first_seq_of(connection& db, const base::session_id& id, std::int64_t epoch)
{
    auto found = db.prepare("SELECT first_seq FROM epochs WHERE session = ? AND number = ?");
    found.bind(id.str()).bind(epoch);
    return found.next() ? found.integer(0) : 0;
}

} // namespace

std::int64_t append(connection& db, const base::session_id& id, const row& what)
{
    const auto seq = next_seq(db, id, what.shown.created_at);
    db.prepare("INSERT INTO messages (session, seq, epoch, answered, task, created_at, role, "
               "content) VALUES (?,?,?,?,?,?,?,?)")
        .bind(id.str())
        .bind(seq)
        .bind(what.shown.epoch)
        .bind(what.answered)
        .bind(what.shown.task_id.str())
        .bind(what.shown.created_at)
        .bind(what.shown.role)
        .bind(what.shown.content)
        .run();
    return seq;
}

void rewrite(connection& db, const base::session_id& id, std::int64_t seq, std::string_view content,
    const base::task_id& task)
{
    // A message that was answered is frozen.
    db.prepare("UPDATE messages SET content = ?, task = ? "
               "WHERE session = ? AND seq = ? AND answered = 0")
        .bind(content)
        .bind(task.str())
        .bind(id.str())
        .bind(seq)
        .run();
}

void mark_answered(connection& db, const base::session_id& id, std::int64_t seq)
{
    db.prepare("UPDATE messages SET answered = 1 WHERE session = ? AND seq = ?")
        .bind(id.str())
        .bind(seq)
        .run();
}

void end_at(connection& db, const base::session_id& id, std::int64_t seq, std::int64_t epoch)
{
    db.prepare("UPDATE messages SET end_epoch = ? WHERE session = ? AND seq = ?")
        .bind(epoch)
        .bind(id.str())
        .bind(seq)
        .run();
}

std::vector<row> history(connection& db, const base::session_id& id, std::int64_t epoch)
{
    auto found =
        db.prepare("SELECT seq, epoch, task, created_at, role, content, answered FROM messages "
                   "WHERE session = ? AND epoch <= ? AND (end_epoch IS NULL OR end_epoch > ?) "
                   "AND seq >= ? ORDER BY seq");
    found.bind(id.str()).bind(epoch).bind(epoch).bind(first_seq_of(db, id, epoch));
    std::vector<row> rows;
    while (found.next())
        rows.push_back({read(found), found.integer(6) != 0});
    return rows;
}

std::optional<row> last(connection& db, const base::session_id& id)
{
    auto found =
        db.prepare("SELECT seq, epoch, task, created_at, role, content, answered FROM messages "
                   "WHERE session = ? ORDER BY seq DESC LIMIT 1");
    found.bind(id.str());
    if (!found.next())
        return std::nullopt;
    return row{read(found), found.integer(6) != 0};
}

std::vector<proto::api::message> list(
    connection& db, const base::session_id& id, std::int64_t after_seq, std::size_t limit)
{
    auto found = db.prepare("SELECT seq, epoch, task, created_at, role, content FROM messages "
                            "WHERE session = ? AND seq > ? ORDER BY seq LIMIT ?");
    found.bind(id.str()).bind(after_seq).bind(limit);
    std::vector<proto::api::message> page;
    while (found.next())
        page.push_back(read(found));
    return page;
}

void insert_epoch(connection& db, const base::session_id& id, const epoch& what)
{
    db.prepare("INSERT INTO epochs (session, number, model, system, tools, first_seq) "
               "VALUES (?,?,?,?,?,?)")
        .bind(id.str())
        .bind(what.number)
        .bind(what.model)
        .bind(what.system)
        .bind(what.tools)
        .bind(what.first_seq)
        .run();
}

std::optional<epoch> find_epoch(connection& db, const base::session_id& id, std::int64_t number)
{
    auto found = db.prepare(
        "SELECT model, system, tools, first_seq FROM epochs WHERE session = ? AND number = ?");
    found.bind(id.str()).bind(number);
    if (!found.next())
        return std::nullopt;
    return epoch{number, found.text(0), found.text(1), found.text(2), found.integer(3)};
}

} // namespace agentd::store::messages
