#include "store/jobs.hpp"

#include "store/columns.hpp"

#include <fmt/format.h>

#include <limits>

namespace agentd::store::jobs {
namespace {

constexpr std::string_view shown_columns =
    "id, session, task, state, ended_by, reason, exit_code, signal, oom, wall_ms, cpu_ms, "
    "peak_bytes, output_bytes, gap_start, gap_end, queued_at, started_at, ended_at, command";
constexpr std::string_view hidden_columns =
    "owner_uid, timeout_s, preview_head, preview_tail, pid, pid_start, boot_id";

std::optional<int> maybe_int(const statement& from, int column)
{
    const auto number = from.maybe_integer(column);
    return number ? std::optional{static_cast<int>(*number)} : std::nullopt;
}

proto::api::job read_shown(const statement& from)
{
    proto::api::job j;
    j.id = base::job_id{from.text(0)};
    j.session_id = base::session_id{from.text(1)};
    j.task_id = base::task_id{from.text(2)};
    j.state = enum_of<proto::api::job_state>(from.integer(3));
    j.by = from.text(4);
    j.reason = from.text(5);
    j.exit_code = maybe_int(from, 6);
    j.signal = maybe_int(from, 7);
    j.oom = from.integer(8) != 0;
    j.wall_ms = from.maybe_integer(9);
    j.cpu_ms = from.maybe_integer(10);
    j.peak_bytes = from.maybe_integer(11);
    j.output_bytes = static_cast<std::uint64_t>(from.integer(12));
    if (!from.is_null(13))
        j.gap = proto::api::byte_gap{static_cast<std::uint64_t>(from.integer(13)),
            static_cast<std::uint64_t>(from.integer(14))};
    j.queued_at = from.time(15);
    j.started_at = from.maybe_time(16);
    j.ended_at = from.maybe_time(17);
    j.command = from.text(18);
    return j;
}

row read(const statement& from)
{
    row out;
    out.shown = read_shown(from);
    out.owner_uid = static_cast<std::uint32_t>(from.integer(19));
    out.timeout_s = from.integer(20);
    out.preview_head = from.text(21);
    out.preview_tail = from.text(22);
    out.pid = from.integer(23);
    out.pid_start = from.integer(24);
    out.boot_id = from.text(25);
    return out;
}

// The columns of the end, from `state` on to the preview, in the order of `finish`.
void bind_end(statement& to, const row& ended)
{
    const auto& j = ended.shown;
    to.bind(number_of(j.state)).bind(j.by).bind(j.reason).bind(j.exit_code).bind(j.signal);
    to.bind(j.oom).bind(j.wall_ms).bind(j.cpu_ms).bind(j.peak_bytes).bind(j.output_bytes);
    if (j.gap)
        to.bind(j.gap->start).bind(j.gap->end);
    else
        to.bind_null().bind_null();
    to.bind(j.started_at).bind(j.ended_at);
    to.bind_blob(ended.preview_head).bind_blob(ended.preview_tail);
}

std::string query(const filter& which)
{
    // One index leads (see task_lists.cpp).
    const bool by_task = which.task_id.has_value();
    const bool by_session = !by_task && which.session_id.has_value();
    bool only_live = !which.states.empty();
    std::string states;
    for (const auto state : which.states) {
        states += fmt::format("{}{}", states.empty() ? "" : ", ", number_of(state));
        only_live = only_live && !proto::api::has_ended(state);
    }
    std::string where;
    if (which.task_id)
        where += " AND task = ?";
    if (which.session_id)
        where += by_session ? " AND session = ?" : " AND +session = ?";
    if (which.owner_uid)
        where += by_task || by_session || only_live ? " AND +owner_uid = ?" : " AND owner_uid = ?";
    if (!states.empty())
        where += fmt::format(" AND +state IN ({})", states);
    if (only_live)
        where += " AND state < 2"; // the few that live have an index of their own
    return fmt::format("SELECT {} FROM jobs {} WHERE n < ?{} ORDER BY n DESC LIMIT ?",
        shown_columns, only_live && !by_task && !by_session ? "INDEXED BY jobs_live" : "", where);
}

std::int64_t count_where(connection& db, std::string_view column, std::string_view id)
{
    auto found =
        db.prepare(fmt::format("SELECT count(*) FROM jobs WHERE {} = ? AND state < 2", column));
    found.bind(id);
    found.next();
    return found.integer(0);
}

} // namespace

bool insert(connection& db, const row& what)
{
    if (was_removed(db, what.shown.id.str()))
        return false;
    const auto& j = what.shown;
    auto add = db.prepare(
        "INSERT INTO jobs (id, session, task, owner_uid, state, ended_by, reason, queued_at, "
        "started_at, ended_at, timeout_s, pid, pid_start, boot_id, command, preview_head, "
        "preview_tail) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING");
    add.bind(j.id.str()).bind(j.session_id.str()).bind(j.task_id.str()).bind(what.owner_uid);
    add.bind(number_of(j.state)).bind(j.by).bind(j.reason).bind(j.queued_at).bind(j.started_at);
    add.bind(j.ended_at).bind(what.timeout_s).bind(what.pid).bind(what.pid_start);
    add.bind(what.boot_id).bind(j.command);
    add.bind_blob(what.preview_head).bind_blob(what.preview_tail).run();
    return db.changes() == 1;
}

std::optional<row> find(connection& db, const base::job_id& id)
{
    static const auto sql =
        fmt::format("SELECT {}, {} FROM jobs WHERE id = ?", shown_columns, hidden_columns);
    auto found = db.prepare(sql);
    found.bind(id.str());
    return found.next() ? std::optional{read(found)} : std::nullopt;
}

std::vector<proto::api::job> list(connection& db, const filter& which)
{
    std::int64_t below = std::numeric_limits<std::int64_t>::max();
    if (!which.after.empty())
        below = place_of(db, "jobs", which.after).value_or(0);
    auto found = db.prepare(query(which));
    found.bind(below);
    if (which.task_id)
        found.bind(which.task_id->str());
    if (which.session_id)
        found.bind(which.session_id->str());
    if (which.owner_uid)
        found.bind(*which.owner_uid);
    found.bind(which.limit);
    std::vector<proto::api::job> jobs;
    while (found.next())
        jobs.push_back(read_shown(found));
    return jobs;
}

std::vector<std::string> ids_with_prefix(connection& db, std::string_view prefix,
    std::optional<std::uint32_t> owner_uid, std::size_t limit)
{
    return agentd::store::ids_with_prefix(db, "jobs", prefix, owner_uid, limit);
}

void start(connection& db, const base::job_id& id, base::wall_time now, std::int64_t pid,
    std::int64_t pid_start, std::string_view boot_id)
{
    db.prepare("UPDATE jobs SET state = 1, started_at = ?, pid = ?, pid_start = ?, boot_id = ? "
               "WHERE id = ? AND state < 2")
        .bind(now)
        .bind(pid)
        .bind(pid_start)
        .bind(boot_id)
        .bind(id.str())
        .run();
}

void note_process(connection& db, const base::job_id& id, std::int64_t pid, std::int64_t pid_start,
    std::string_view boot_id)
{
    db.prepare("UPDATE jobs SET pid = ?, pid_start = ?, boot_id = ? WHERE id = ?")
        .bind(pid)
        .bind(pid_start)
        .bind(boot_id)
        .bind(id.str())
        .run();
}

bool finish(connection& db, const row& ended)
{
    auto change = db.prepare(
        "UPDATE jobs SET state = ?, ended_by = ?, reason = ?, exit_code = ?, signal = ?, oom = ?, "
        "wall_ms = ?, cpu_ms = ?, peak_bytes = ?, output_bytes = ?, gap_start = ?, gap_end = ?, "
        "started_at = coalesce(?, started_at), ended_at = ?, preview_head = ?, preview_tail = ? "
        "WHERE id = ? AND state < 2");
    bind_end(change, ended);
    change.bind(ended.shown.id.str()).run();
    return db.changes() == 1;
}

std::int64_t count_live(connection& db, const base::task_id& id)
{
    return count_where(db, "task", id.str());
}

std::int64_t count_live(connection& db, const base::session_id& id)
{
    return count_where(db, "session", id.str());
}

std::vector<base::job_id> ended_of(connection& db, const base::session_id& id, std::size_t limit)
{
    auto found =
        db.prepare("SELECT id FROM jobs WHERE session = ? AND state > 1 ORDER BY n DESC LIMIT ?");
    found.bind(id.str()).bind(static_cast<std::int64_t>(limit));
    std::vector<base::job_id> ids;
    while (found.next())
        ids.emplace_back(found.text(0));
    return ids;
}

use used(connection& db, const base::session_id& by)
{
    auto sum = db.prepare("SELECT COALESCE(SUM(cpu_ms), 0), COALESCE(SUM(wall_ms), 0), "
                          "COALESCE(SUM(output_bytes), 0) FROM jobs WHERE session = ?");
    sum.bind(by.str());
    use all;
    if (!sum.next())
        return all;
    all.cpu = std::chrono::milliseconds{sum.integer(0)};
    all.wall = std::chrono::milliseconds{sum.integer(1)};
    all.output_bytes = static_cast<std::uint64_t>(sum.integer(2));
    return all;
}

std::vector<row> live(connection& db)
{
    static const auto sql =
        fmt::format("SELECT {}, {} FROM jobs WHERE n IN "
                    "(SELECT n FROM jobs INDEXED BY jobs_live WHERE state < 2) ORDER BY n",
            shown_columns, hidden_columns);
    auto found = db.prepare(sql);
    std::vector<row> rows;
    while (found.next())
        rows.push_back(read(found));
    return rows;
}

} // namespace agentd::store::jobs
