#include "store/event_pages.hpp"

#include <algorithm>
#include <array>

namespace agentd::store::events {
namespace {

// Types that are no dense part of the history. Their rows have an index entry (column `rare`);
// changing this list needs a migration that sets the column anew.
constexpr std::array<std::string_view, 3> rare_families = {"task.", "session.", "daemon."};
constexpr std::array<std::string_view, 4> rare_types = {
    "job.stalled", "message.received", "model.fallback", "model.retry"};

bool begins_rare(std::string_view type)
{
    return std::ranges::any_of(
        rare_families, [type](std::string_view family) { return type.starts_with(family); });
}

bool is_family(std::string_view pattern)
{
    return pattern.ends_with(".*");
}

// An id, or NULL for none.
void bind_id(statement& to, const std::string& id)
{
    if (id.empty())
        to.bind_null();
    else
        to.bind(id);
}

} // namespace

bool is_rare(std::string_view type)
{
    return begins_rare(type) || std::ranges::find(rare_types, type) != rare_types.end();
}

bool is_of_type(const filter& which, std::string_view type)
{
    if (which.types.empty())
        return true;
    return std::ranges::any_of(which.types, [type](std::string_view wanted) {
        return is_family(wanted) ? type.starts_with(wanted.substr(0, wanted.size() - 1))
                                 : type == wanted;
    });
}

bool matches(const filter& which, const proto::api::event& what, std::optional<std::uint32_t> owner)
{
    if (which.task_id && what.task_id != *which.task_id)
        return false;
    if (which.session_id && what.session_id != *which.session_id)
        return false;
    if (which.owner_uid && owner != which.owner_uid && !what.type.starts_with("daemon."))
        return false;
    return is_of_type(which, what.type);
}

void insert(connection& db, proto::api::event& what)
{
    // The owner is that of the session, also of one removed in this transaction.
    auto add = db.prepare(
        "INSERT INTO events (seq, time, rare, owner_uid, type, session, task, job, body) "
        "VALUES (?1, ?2, ?3, coalesce((SELECT owner_uid FROM sessions WHERE id = ?5), "
        "(SELECT owner_uid FROM removed WHERE id = ?5)), ?4, ?5, ?6, ?7, ?8) "
        "RETURNING owner_uid");
    add.bind(what.seq).bind(what.time).bind(is_rare(what.type)).bind(what.type);
    bind_id(add, what.session_id.str());
    bind_id(add, what.task_id.str());
    bind_id(add, what.job_id.str());
    add.bind(what.body);
    if (const bool has_row = add.next(); has_row && !add.is_null(0))
        what.owner_uid = static_cast<std::uint32_t>(add.integer(0));
    static_cast<void>(add.next()); // the statement ends, and the row is written
}

base::event_seq oldest(connection& db)
{
    auto found = db.prepare("SELECT min(seq) FROM events");
    return found.next() ? static_cast<base::event_seq>(found.integer(0)) : 0;
}

base::event_seq newest(connection& db)
{
    auto found = db.prepare("SELECT max(seq) FROM events");
    return found.next() ? static_cast<base::event_seq>(found.integer(0)) : 0;
}

std::int64_t purge(connection& db, base::event_seq up_to, base::wall_time before, std::size_t limit)
{
    // Oldest first and never past one that is to stay: what is kept has no hole.
    auto bound =
        db.prepare("WITH batch AS (SELECT seq, time FROM events "
                   "WHERE seq <= ?1 AND seq < (SELECT max(seq) FROM events) ORDER BY seq LIMIT ?2) "
                   "SELECT coalesce((SELECT min(seq) - 1 FROM batch WHERE time >= ?3), "
                   "(SELECT max(seq) FROM batch), 0)");
    bound.bind(up_to).bind(limit).bind(before);
    bound.next();
    const auto last = bound.integer(0);
    db.prepare("DELETE FROM events WHERE seq <= ?").bind(last).run();
    return db.changes();
}

} // namespace agentd::store::events
