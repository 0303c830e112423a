#include "store/notifications.hpp"

#include "store/columns.hpp"

namespace agentd::store::notifications {
namespace {

// Of: n, task, kind, message_seq, job, text.
row read(const statement& from, const base::session_id& session)
{
    row out;
    out.id = from.integer(0);
    out.session_id = session;
    out.task_id = base::task_id{from.text(1)};
    out.kind = enum_of<notifications::kind>(from.integer(2));
    out.message_seq = from.integer(3);
    out.job_id = base::job_id{from.text(4)};
    out.text = from.text(5);
    return out;
}

} // namespace

std::string_view to_string(kind what)
{
    switch (what) {
    case kind::job_ended: return "job_ended";
    case kind::user_message: return "user_message";
    case kind::job_stalled: break;
    }
    return "job_stalled";
}

std::int64_t queue(connection& db, const row& what)
{
    db.prepare("INSERT INTO notifications (session, task, kind, message_seq, job, text) "
               "VALUES (?,?,?,?,?,?)")
        .bind(what.session_id.str())
        .bind(what.task_id.str())
        .bind(number_of(what.kind))
        .bind(what.message_seq)
        .bind(what.job_id.str())
        .bind(what.text)
        .run();
    return db.last_rowid();
}

std::vector<row> undelivered(connection& db, const base::session_id& id)
{
    auto found = db.prepare("SELECT n, task, kind, message_seq, job, text FROM notifications "
                            "WHERE session = ? AND delivered = 0 ORDER BY n");
    found.bind(id.str());
    std::vector<row> rows;
    while (found.next())
        rows.push_back(read(found, id));
    return rows;
}

void attach(connection& db, std::int64_t id, std::int64_t message_seq)
{
    db.prepare("UPDATE notifications SET message_seq = ? WHERE n = ? AND delivered = 0")
        .bind(message_seq)
        .bind(id)
        .run();
}

void detach_all(connection& db, const base::session_id& id, std::int64_t message_seq)
{
    db.prepare("UPDATE notifications SET message_seq = 0, delivered = 0 "
               "WHERE session = ? AND message_seq = ? AND message_seq > 0")
        .bind(id.str())
        .bind(message_seq)
        .run();
}

std::vector<row> deliver(connection& db, const base::session_id& id, std::int64_t message_seq)
{
    std::vector<row> carried;
    for (auto& waiting : undelivered(db, id))
        if (waiting.message_seq == message_seq)
            carried.push_back(std::move(waiting));
    if (!carried.empty())
        db.prepare("UPDATE notifications SET delivered = 1 "
                   "WHERE session = ? AND delivered = 0 AND message_seq = ?")
            .bind(id.str())
            .bind(message_seq)
            .run();
    return carried;
}

std::int64_t count_messages(connection& db, const base::task_id& id)
{
    auto found = db.prepare("SELECT count(*) FROM notifications "
                            "WHERE task = ? AND delivered = 0 AND kind = 1");
    found.bind(id.str());
    found.next();
    return found.integer(0);
}

std::int64_t count_waiting(connection& db, const base::session_id& id)
{
    auto found = db.prepare("SELECT count(*) FROM notifications "
                            "WHERE session = ? AND delivered = 0 AND message_seq = 0");
    found.bind(id.str());
    found.next();
    return found.integer(0);
}

} // namespace agentd::store::notifications
