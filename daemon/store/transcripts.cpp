#include "store/transcripts.hpp"

#include "store/messages.hpp"

namespace agentd::store::transcripts {

using proto::api::export_epoch;
using proto::api::export_message;

std::vector<export_epoch> epochs(connection& db, const base::session_id& id)
{
    auto found = db.prepare("SELECT number, model, system, tools, first_seq FROM epochs "
                            "WHERE session = ? ORDER BY number");
    found.bind(id.str());
    std::vector<export_epoch> all;
    while (found.next())
        all.push_back(
            {found.integer(0), found.text(1), found.text(2), found.text(3), found.integer(4)});
    return all;
}

std::vector<export_message> messages(connection& db, const base::session_id& id, std::int64_t after,
    std::int64_t until, std::size_t limit)
{
    auto found = db.prepare("SELECT seq, epoch, task, created_at, role, content, answered, "
                            "end_epoch FROM messages WHERE session = ? AND seq > ? AND seq <= ? "
                            "ORDER BY seq LIMIT ?");
    found.bind(id.str()).bind(after).bind(until).bind(limit);
    std::vector<export_message> page;
    while (found.next()) {
        export_message one;
        auto& m = one.message;
        m.seq = found.integer(0);
        m.epoch = found.integer(1);
        m.task_id = base::task_id{found.text(2)};
        m.created_at = found.time(3);
        m.role = found.text(4);
        m.content = found.text(5);
        one.answered = found.integer(6) != 0;
        one.end_epoch = found.maybe_integer(7);
        page.push_back(std::move(one));
    }
    return page;
}

void put(connection& db, const base::session_id& id, const export_epoch& what)
{
    messages::insert_epoch(
        db, id, {what.number, what.model, what.system, what.tools, what.first_seq});
}

void put(connection& db, const base::session_id& id, const export_message& what)
{
    const auto& m = what.message;
    db.prepare("INSERT INTO messages (session, seq, epoch, end_epoch, answered, task, created_at, "
               "role, content) VALUES (?,?,?,?,?,?,?,?,?)")
        .bind(id.str())
        .bind(m.seq)
        .bind(m.epoch)
        .bind(what.end_epoch)
        .bind(what.answered)
        .bind(m.task_id.str())
        .bind(m.created_at)
        .bind(m.role)
        .bind(m.content)
        .run();
}

} // namespace agentd::store::transcripts
