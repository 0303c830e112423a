#include "store/sessions.hpp"

#include "store/columns.hpp"

#include <fmt/format.h>

#include <limits>

namespace agentd::store::sessions {
namespace {

constexpr std::string_view columns =
    "id, owner_uid, state, model, epoch, messages, input, output, cache_read, cache_write, "
    "cost_usd, created_at, updated_at, made_workdir, workdir, context_tokens";

row read(const statement& from)
{
    row out;
    out.shown.id = base::session_id{from.text(0)};
    out.owner_uid = static_cast<std::uint32_t>(from.integer(1));
    out.shown.state = enum_of<proto::api::session_state>(from.integer(2));
    out.shown.model = from.text(3);
    out.shown.epoch = from.integer(4);
    out.shown.messages = from.integer(5);
    out.shown.usage = usage_at(from, 6);
    out.shown.cost_usd = from.real(10);
    out.shown.created_at = from.time(11);
    out.shown.updated_at = from.time(12);
    out.made_workdir = from.integer(13) != 0;
    out.shown.workdir = from.text(14);
    out.context_tokens = from.integer(15);
    return out;
}

// Ids of the session's own things go to `removed`, then the rows go.
void remove_named(
    connection& db, std::string_view table, std::string_view session, base::wall_time now)
{
    db.prepare(fmt::format("INSERT INTO removed (id, n, owner_uid, removed_at) "
                           "SELECT id, n, owner_uid, ? FROM {} WHERE session = ?",
                   table))
        .bind(now)
        .bind(session)
        .run();
    db.prepare(fmt::format("DELETE FROM {} WHERE session = ?", table)).bind(session).run();
}

void remove_parts(connection& db, std::string_view session)
{
    for (const char* sql : {
             // One text of two lines.
             ("DELETE FROM task_labels WHERE (key, value, task) IN (SELECT j.key, j.value, t.n "
              "FROM tasks t, json_each(t.labels) j WHERE t.session = ?)"),
             "DELETE FROM task_inputs WHERE task IN (SELECT n FROM tasks WHERE session = ?)",
             "DELETE FROM task_results WHERE task IN (SELECT n FROM tasks WHERE session = ?)",
             "DELETE FROM call_inputs WHERE call IN (SELECT n FROM calls WHERE session = ?)",
             "DELETE FROM call_answers WHERE call IN (SELECT n FROM calls WHERE session = ?)",
             "DELETE FROM calls WHERE session = ?",
             "DELETE FROM messages WHERE session = ?",
             "DELETE FROM epochs WHERE session = ?",
             "DELETE FROM notifications WHERE session = ?",
         })
        db.prepare(sql).bind(session).run();
}

} // namespace

bool insert(connection& db, const row& what)
{
    if (was_removed(db, what.shown.id.str()))
        return false;
    auto add = db.prepare(
        "INSERT INTO sessions (id, owner_uid, state, model, epoch, messages, input, output, "
        "cache_read, cache_write, cost_usd, created_at, updated_at, made_workdir, workdir) "
        "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING");
    const auto& s = what.shown;
    add.bind(s.id.str()).bind(what.owner_uid).bind(number_of(s.state)).bind(s.model);
    add.bind(s.epoch).bind(s.messages);
    bind_usage(add, s.usage);
    add.bind(s.cost_usd).bind(s.created_at).bind(s.updated_at);
    add.bind(what.made_workdir).bind(s.workdir).run();
    return db.changes() == 1;
}

std::optional<row> find(connection& db, const base::session_id& id)
{
    static const std::string sql = fmt::format("SELECT {} FROM sessions WHERE id = ?", columns);
    auto found = db.prepare(sql);
    found.bind(id.str());
    return found.next() ? std::optional{read(found)} : std::nullopt;
}

std::vector<row> list(connection& db, const filter& which)
{
    std::int64_t below = std::numeric_limits<std::int64_t>::max();
    if (!which.after.empty())
        below = place_of(db, "sessions", which.after).value_or(0);
    auto found = db.prepare(fmt::format("SELECT {} FROM sessions WHERE {} n < ? "
                                        "ORDER BY n DESC LIMIT ?",
        columns, which.owner_uid ? "owner_uid = ? AND" : ""));
    if (which.owner_uid)
        found.bind(*which.owner_uid);
    found.bind(below).bind(which.limit);
    std::vector<row> rows;
    while (found.next())
        rows.push_back(read(found));
    return rows;
}

std::vector<std::string> ids_with_prefix(connection& db, std::string_view prefix,
    std::optional<std::uint32_t> owner_uid, std::size_t limit)
{
    return agentd::store::ids_with_prefix(db, "sessions", prefix, owner_uid, limit);
}

void set_state(connection& db, const base::session_id& id, proto::api::session_state state)
{
    db.prepare("UPDATE sessions SET state = ?, updated_at = ? WHERE id = ?")
        .bind(number_of(state))
        .bind(base::wall_now())
        .bind(id.str())
        .run();
}

void set_model(
    connection& db, const base::session_id& id, std::string_view model, std::int64_t epoch)
{
    db.prepare("UPDATE sessions SET model = ?, epoch = ?, updated_at = ? WHERE id = ?")
        .bind(model)
        .bind(epoch)
        .bind(base::wall_now())
        .bind(id.str())
        .run();
}

void add_usage(
    connection& db, const base::session_id& id, const proto::api::usage& more, double cost_usd)
{
    auto change = db.prepare(
        "UPDATE sessions SET input = input + ?, output = output + ?, "
        "cache_read = cache_read + ?, cache_write = cache_write + ?, cost_usd = cost_usd + ?, "
        "updated_at = ? WHERE id = ?");
    bind_usage(change, more);
    change.bind(cost_usd).bind(base::wall_now()).bind(id.str()).run();
}

void set_context(connection& db, const base::session_id& id, std::int64_t tokens)
{
    db.prepare("UPDATE sessions SET context_tokens = ? WHERE id = ?")
        .bind(tokens)
        .bind(id.str())
        .run();
}

bool has_forgettable(connection& db, base::wall_time before)
{
    auto found = db.prepare("SELECT 1 FROM removed WHERE removed_at < ? LIMIT 1");
    found.bind(before);
    return found.next();
}

std::int64_t forget_removed(connection& db, base::wall_time before, std::size_t limit)
{
    db.prepare("DELETE FROM removed WHERE id IN "
               "(SELECT id FROM removed WHERE removed_at < ? ORDER BY removed_at LIMIT ?)")
        .bind(before)
        .bind(limit)
        .run();
    return db.changes();
}

void remove(connection& db, const base::session_id& id)
{
    const auto now = base::wall_now();
    remove_parts(db, id.str());
    remove_named(db, "jobs", id.str(), now);
    remove_named(db, "tasks", id.str(), now);
    db.prepare("INSERT INTO removed (id, n, owner_uid, removed_at) "
               "SELECT id, n, owner_uid, ? FROM sessions WHERE id = ?")
        .bind(now)
        .bind(id.str())
        .run();
    db.prepare("DELETE FROM sessions WHERE id = ?").bind(id.str()).run();
}

std::vector<base::session_id> with_work(connection& db)
{
    auto found = db.prepare("SELECT session FROM tasks WHERE state IN (0, 1, 2) "
                            "UNION SELECT session FROM jobs WHERE state < 2");
    std::vector<base::session_id> ids;
    while (found.next())
        ids.emplace_back(found.text(0));
    return ids;
}

std::int64_t count(connection& db)
{
    auto found = db.prepare("SELECT count(*) FROM sessions");
    found.next();
    return found.integer(0);
}

} // namespace agentd::store::sessions
