#include "store/idempotency.hpp"

#include "base/limits.hpp"

namespace agentd::store::idempotency {
namespace {

// What was made at or before this is forgotten.
base::wall_time oldest_kept(base::wall_time now)
{
    return now - limits::idempotency_kept;
}

} // namespace

std::optional<row> find(connection& db, std::uint32_t uid, std::string_view path,
    std::string_view key, base::wall_time now)
{
    auto found = db.prepare("SELECT body_hash, status, location, answer FROM idempotency "
                            "WHERE uid = ? AND path = ? AND key = ? AND made_at > ?");
    found.bind(uid).bind(path).bind(key).bind(oldest_kept(now));
    if (!found.next())
        return std::nullopt;
    return row{uid, std::string{path}, std::string{key}, found.text(0),
        static_cast<int>(found.integer(1)), found.text(2), found.text(3)};
}

void insert(connection& db, const row& what, base::wall_time now)
{
    // One that has expired makes room; a live one is found before anybody inserts.
    db.prepare("INSERT OR REPLACE INTO idempotency "
               "(uid, path, key, made_at, status, body_hash, location, answer) "
               "VALUES (?,?,?,?,?,?,?,?)")
        .bind(what.uid)
        .bind(what.path)
        .bind(what.key)
        .bind(now)
        .bind(what.status)
        .bind(what.body_hash)
        .bind(what.location)
        .bind(what.answer)
        .run();
}

std::int64_t purge(connection& db, base::wall_time now, std::size_t limit)
{
    db.prepare("DELETE FROM idempotency WHERE rowid IN (SELECT rowid FROM idempotency "
               "WHERE made_at <= ? ORDER BY made_at LIMIT ?)")
        .bind(oldest_kept(now))
        .bind(limit)
        .run();
    return db.changes();
}

bool has_expired(connection& db, base::wall_time now)
{
    auto found =
        db.prepare("SELECT 1 FROM idempotency WHERE made_at <= ? ORDER BY made_at LIMIT 1");
    found.bind(oldest_kept(now));
    return found.next();
}

} // namespace agentd::store::idempotency
