#include "store/calls.hpp"

#include "store/columns.hpp"

namespace agentd::store::calls {
namespace {

// The row of a call; 0: there is none.
std::int64_t number(
    connection& db, const base::session_id& id, std::int64_t message_seq, std::int64_t position)
{
    auto found =
        db.prepare("SELECT n FROM calls WHERE session = ? AND message_seq = ? AND position = ?");
    found.bind(id.str()).bind(message_seq).bind(position);
    return found.next() ? found.integer(0) : 0;
}

void put_answer(connection& db, std::int64_t call, std::string_view text)
{
    db.prepare("INSERT OR REPLACE INTO call_answers (call, text) VALUES (?, ?)")
        .bind(call)
        .bind(text)
        .run();
}

} // namespace

void insert(connection& db, const base::session_id& id, const row& what)
{
    db.prepare("INSERT INTO calls (session, message_seq, position, state, is_error, task, tool_id, "
               "name) VALUES (?,?,?,?,?,?,?,?)")
        .bind(id.str())
        .bind(what.message_seq)
        .bind(what.position)
        .bind(number_of(what.state))
        .bind(what.is_error)
        .bind(what.task_id.str())
        .bind(what.tool_id)
        .bind(what.name)
        .run();
    const auto call = db.last_rowid();
    db.prepare("INSERT INTO call_inputs (call, input) VALUES (?, ?)")
        .bind(call)
        .bind(what.input)
        .run();
    if (what.state == state::finished)
        put_answer(db, call, what.text);
}

void start(
    connection& db, const base::session_id& id, std::int64_t message_seq, std::int64_t position)
{
    db.prepare("UPDATE calls SET state = 1 "
               "WHERE session = ? AND message_seq = ? AND position = ? AND state = 0")
        .bind(id.str())
        .bind(message_seq)
        .bind(position)
        .run();
}

void finish(connection& db, const base::session_id& id, std::int64_t message_seq,
    std::int64_t position, std::string_view text, bool is_error)
{
    const auto call = number(db, id, message_seq, position);
    if (call == 0)
        return;
    db.prepare("UPDATE calls SET state = 2, is_error = ? WHERE n = ?")
        .bind(is_error)
        .bind(call)
        .run();
    put_answer(db, call, text);
}

std::vector<row> of_message(connection& db, const base::session_id& id, std::int64_t message_seq)
{
    auto found = db.prepare(
        "SELECT c.position, c.task, c.tool_id, c.name, c.state, c.is_error, i.input, a.text "
        "FROM calls c JOIN call_inputs i ON i.call = c.n LEFT JOIN call_answers a ON a.call = c.n "
        "WHERE c.session = ? AND c.message_seq = ? ORDER BY c.position");
    found.bind(id.str()).bind(message_seq);
    std::vector<row> rows;
    while (found.next()) {
        row r;
        r.message_seq = message_seq;
        r.position = found.integer(0);
        r.task_id = base::task_id{found.text(1)};
        r.tool_id = found.text(2);
        r.name = found.text(3);
        r.state = enum_of<calls::state>(found.integer(4));
        r.is_error = found.integer(5) != 0;
        r.input = found.text(6);
        r.text = found.text(7);
        rows.push_back(std::move(r));
    }
    return rows;
}

std::int64_t newest_message(connection& db, const base::session_id& id)
{
    auto found = db.prepare("SELECT max(message_seq) FROM calls WHERE session = ?");
    found.bind(id.str());
    return found.next() ? found.integer(0) : 0;
}

} // namespace agentd::store::calls
