#include "store/tasks.hpp"

#include "store/columns.hpp"
#include "store/task_row.hpp"

#include <fmt/format.h>

namespace agentd::store::tasks {
namespace {

// The first task of the session for which `rest` holds.
std::optional<row> first_of(connection& db, const base::session_id& id, std::string_view rest)
{
    auto found = db.prepare(
        fmt::format("SELECT {} FROM {} WHERE t.session = ? AND {}", row_columns, row_tables, rest));
    found.bind(id.str());
    return found.next() ? std::optional{read_row(found)} : std::nullopt;
}

void insert_labels(connection& db, std::int64_t task, const proto::api::labels& labels)
{
    for (const auto& [key, value] : labels)
        db.prepare("INSERT INTO task_labels (key, value, task) VALUES (?, ?, ?)")
            .bind(key)
            .bind(value)
            .bind(task)
            .run();
}

void insert_inputs(connection& db, std::int64_t task, const row& what)
{
    db.prepare("INSERT INTO task_inputs (task, prompt, system, env) VALUES (?, ?, ?, ?)")
        .bind(task)
        .bind(what.shown.prompt)
        .bind(what.system)
        .bind(encode_map(what.env))
        .run();
}

} // namespace

bool insert(connection& db, const row& what)
{
    if (was_removed(db, what.shown.id.str()))
        return false;
    const auto& t = what.shown;
    auto add = db.prepare(
        "INSERT INTO tasks (id, session, owner_uid, state, jobs_at_end, priority, max_turns, "
        "timeout_s, budget_usd, max_tokens_total, first_seq, created_at, model, labels) "
        "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING");
    add.bind(t.id.str()).bind(t.session_id.str()).bind(t.owner_uid).bind(number_of(t.state));
    add.bind(number_of(t.jobs_at_end)).bind(t.priority).bind(what.max_turns).bind(what.timeout_s);
    add.bind(what.budget_usd).bind(what.max_tokens_total).bind(db.first_seq_of_transaction());
    add.bind(t.created_at).bind(t.model).bind(encode_map(t.labels)).run();
    if (db.changes() == 0)
        return false;
    const auto n = db.last_rowid();
    insert_inputs(db, n, what);
    insert_labels(db, n, t.labels);
    return true;
}

std::optional<row> find(connection& db, const base::task_id& id)
{
    static const auto sql =
        fmt::format("SELECT {} FROM {} WHERE t.id = ?", row_columns, row_tables);
    auto found = db.prepare(sql);
    found.bind(id.str());
    return found.next() ? std::optional{read_row(found)} : std::nullopt;
}

std::vector<std::string> ids_with_prefix(connection& db, std::string_view prefix,
    std::optional<std::uint32_t> owner_uid, std::size_t limit)
{
    return agentd::store::ids_with_prefix(db, "tasks", prefix, owner_uid, limit);
}

std::optional<row> open_of(connection& db, const base::session_id& id)
{
    return first_of(db, id, "t.state IN (1, 2)");
}

std::optional<row> next_queued(connection& db, const base::session_id& id)
{
    return first_of(db, id, "t.state = 0 ORDER BY t.n LIMIT 1");
}

std::int64_t count(connection& db, proto::api::task_state state)
{
    auto found = db.prepare("SELECT count(*) FROM tasks WHERE state = ?");
    found.bind(number_of(state));
    found.next();
    return found.integer(0);
}

bool start(connection& db, const base::task_id& id, base::wall_time now)
{
    db.prepare("UPDATE tasks SET state = 1, started_at = ? WHERE id = ? AND state = 0")
        .bind(now)
        .bind(id.str())
        .run();
    return db.changes() == 1;
}

bool set_waiting(connection& db, const base::task_id& id, bool waiting)
{
    db.prepare("UPDATE tasks SET state = ? WHERE id = ? AND state = ?")
        .bind(waiting ? 2 : 1)
        .bind(id.str())
        .bind(waiting ? 1 : 2)
        .run();
    return db.changes() == 1;
}

bool request_cancel(connection& db, const base::task_id& id)
{
    db.prepare("UPDATE tasks SET cancel_requested = 1 WHERE id = ? AND state IN (0, 1, 2)")
        .bind(id.str())
        .run();
    return db.changes() == 1;
}

bool finish(connection& db, const base::task_id& id, proto::api::task_state end,
    const std::optional<proto::api::task_error>& error, base::wall_time now)
{
    auto change =
        db.prepare("UPDATE tasks SET state = ?, ended_at = ?, error_type = ?, error_message = ?, "
                   "error_status = ?, error_request_id = ? WHERE id = ? AND state IN (0, 1, 2)");
    change.bind(number_of(end)).bind(now);
    if (error)
        change.bind(error->type).bind(error->message).bind(error->status).bind(error->request_id);
    else
        change.bind_null().bind_null().bind_null().bind_null();
    change.bind(id.str()).run();
    return db.changes() == 1;
}

void add_turn(connection& db, const base::task_id& id, const proto::api::usage& used,
    double cost_usd, std::string_view stop_reason, const std::optional<std::string>& text)
{
    auto change = db.prepare(
        "UPDATE tasks SET turns = turns + 1, input = input + ?, output = output + ?, "
        "cache_read = cache_read + ?, cache_write = cache_write + ?, cost_usd = cost_usd + ?, "
        "stop_reason = ?, result_turn = iif(?, turns + 1, result_turn) WHERE id = ?");
    bind_usage(change, used);
    change.bind(cost_usd).bind(stop_reason).bind(text.has_value()).bind(id.str()).run();
    if (text)
        db.prepare("INSERT OR REPLACE INTO task_results (task, result) "
                   "SELECT n, ? FROM tasks WHERE id = ?")
            .bind(*text)
            .bind(id.str())
            .run();
}

void add_usage(
    connection& db, const base::task_id& id, const proto::api::usage& used, double cost_usd)
{
    auto change = db.prepare(
        "UPDATE tasks SET input = input + ?, output = output + ?, cache_read = cache_read + ?, "
        "cache_write = cache_write + ?, cost_usd = cost_usd + ? WHERE id = ?");
    bind_usage(change, used);
    change.bind(cost_usd).bind(id.str()).run();
}

void set_elapsed(connection& db, const base::task_id& id, std::int64_t elapsed_ms)
{
    db.prepare("UPDATE tasks SET elapsed_ms = ? WHERE id = ?")
        .bind(elapsed_ms)
        .bind(id.str())
        .run();
}

void set_unclean_ends(connection& db, const base::task_id& id, std::int64_t ends)
{
    db.prepare("UPDATE tasks SET unclean_ends = ? WHERE id = ?").bind(ends).bind(id.str()).run();
}

void clear_unclean_ends(connection& db)
{
    db.prepare("UPDATE tasks SET unclean_ends = 0 WHERE state IN (0, 1, 2) AND unclean_ends <> 0")
        .run();
}

void set_at_work(connection& db, const base::task_id& id, bool now)
{
    db.prepare("UPDATE tasks SET at_work = ? WHERE id = ?")
        .bind(now ? db.boot_id() : std::string{})
        .bind(id.str())
        .run();
}

std::vector<base::task_id> at_work(connection& db)
{
    auto found =
        db.prepare("SELECT id FROM tasks WHERE state IN (0, 1, 2) AND at_work = ? ORDER BY n");
    found.bind(db.boot_id());
    std::vector<base::task_id> ids;
    while (found.next())
        ids.emplace_back(found.text(0));
    return ids;
}

std::vector<std::pair<base::task_id, base::session_id>> that_met(connection& db, std::int64_t ends)
{
    auto found = db.prepare("SELECT id, session FROM tasks WHERE state IN (0, 1, 2) "
                            "AND unclean_ends >= ? ORDER BY n");
    found.bind(ends);
    std::vector<std::pair<base::task_id, base::session_id>> all;
    while (found.next())
        all.emplace_back(base::task_id{found.text(0)}, base::session_id{found.text(1)});
    return all;
}

void set_none_at_work(connection& db)
{
    db.prepare("UPDATE tasks SET at_work = '' WHERE state IN (0, 1, 2) AND at_work <> ''").run();
}

} // namespace agentd::store::tasks
