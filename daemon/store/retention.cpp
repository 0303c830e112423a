#include "store/retention.hpp"

#include "base/log.hpp"
#include "base/retention_limits.hpp"
#include "store/events.hpp"
#include "store/idempotency.hpp"
#include "store/sessions.hpp"
#include "store/store.hpp"

#include <algorithm>

namespace agentd::store {
namespace {

std::int64_t number(connection& db, std::string_view sql)
{
    auto row = db.prepare(sql);
    return row.next() ? row.integer(0) : 0;
}

// Events with this seq or a smaller one are too many. The numbers that power losses have left
// out (daemon.recovered tells of them) are no events.
base::event_seq too_many(connection& db, const retention_rules& rules)
{
    const auto newest = static_cast<std::int64_t>(events::newest(db));
    const auto oldest = static_cast<std::int64_t>(events::oldest(db));
    if (newest - oldest < rules.events_count)
        return 0;
    const auto skipped = number(db,
        "SELECT sum(json_extract(body, '$.to') - json_extract(body, '$.from') + 1) FROM events "
        "WHERE rare = 1 AND type = 'daemon.recovered'");
    return static_cast<base::event_seq>(
        std::max<std::int64_t>(newest - rules.events_count - skipped, 0));
}

// The newest event stays in any case: the numbers go on from it.
bool has_old_event(connection& db, base::wall_time before)
{
    auto found = db.prepare("SELECT time FROM events WHERE seq < (SELECT max(seq) FROM events) "
                            "ORDER BY seq LIMIT 1");
    return found.next() && found.time(0) < before;
}

// Free pages beyond those that the next rows are going to use.
std::int64_t pages_to_give_back(connection& db)
{
    if (number(db, "PRAGMA auto_vacuum") != 2)
        return 0;
    const auto free = number(db, "PRAGMA freelist_count");
    return free - limits::free_pages_kept - number(db, "PRAGMA page_count") / 8;
}

std::int64_t give_back(connection& db)
{
    const auto pages = std::min(pages_to_give_back(db), limits::purge_pages);
    if (pages <= 0)
        return 0;
    auto vacuum = db.prepare("PRAGMA incremental_vacuum(256)"); // limits::purge_pages
    static_assert(limits::purge_pages == 256);
    while (vacuum.next()) // a page each
        continue;
    return limits::purge_pages;
}

} // namespace

bool is_purge_due(connection& db, const retention_rules& rules, base::wall_time now)
{
    const auto many = too_many(db, rules);
    return has_old_event(db, now - rules.events_age) || (many != 0 && many >= events::oldest(db)) ||
        idempotency::has_expired(db, now) ||
        sessions::has_forgettable(db, now - rules.events_age) || pages_to_give_back(db) > 0;
}

purged purge(connection& db, const retention_rules& rules, base::wall_time now)
{
    purged gone;
    gone.events =
        events::purge(db, events::newest(db), now - rules.events_age, limits::purge_events);
    if (gone.events == 0)
        if (const auto last = too_many(db, rules); last != 0)
            gone.events = events::purge(db, last, base::wall_time::max(), limits::purge_events);
    gone.keys = idempotency::purge(db, now, limits::purge_keys);
    gone.ids = sessions::forget_removed(db, now - rules.events_age, limits::purge_ids);
    if (gone.events == 0 && gone.keys == 0 && gone.ids == 0)
        gone.pages = give_back(db);
    return gone;
}

aio::awaitable<bool> retention::pass()
{
    auto look = [rules = rules_](
                    connection& db) { return is_purge_due(db, rules, base::wall_now()); };
    const auto due = co_await db_.read(std::move(look));
    if (!due.value_or(false))
        co_return false;
    auto step = [rules = rules_](
                    connection& db) { return agentd::store::purge(db, rules, base::wall_now()); };
    const auto done = co_await db_.write(step::purge, durability::process_death, std::move(step));
    co_return done.has_value();
}

aio::awaitable<> retention::run()
{
    for (;;) {
        for (bool more = true; more;) {
            const auto begun = base::mono_now();
            const bool worked = co_await pass();
            more = worked;
            // Others have the threads most of the time, however long the history is.
            const auto pause = std::max(base::elapsed_since(begun) * 3, limits::purge_pause);
            co_await aio::sleep_for(pause);
        }
        co_await aio::sleep_for(limits::purge_every);
    }
}

} // namespace agentd::store
