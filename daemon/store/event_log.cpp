#include "store/event_log.hpp"

#include "store/events.hpp"
#include "store/fail_point.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

namespace agentd::store {
namespace {

// Numbers reserved with one synced commit: seldom enough to cost nothing, and the largest
// hole that a power loss makes.
constexpr base::event_seq reserve_step = 1U << 18;
// The most that one commit may use; less than what is reserved before it.
constexpr base::event_seq events_per_commit = 1U << 17;

// What the table `meta` keeps of the numbers.
struct stored {
    std::string boot_id; // of the run of the machine that has the store open; empty: closed
    base::event_seq floor = 1;
    base::event_seq reserved = 0;
};

stored load(sqlite_connection& db)
{
    auto row = db.prepare("SELECT boot_id, seq_floor, seq_reserved FROM meta");
    if (!row.next())
        return {};
    return {row.text(0), static_cast<base::event_seq>(row.integer(1)),
        static_cast<base::event_seq>(row.integer(2))};
}

void save(sqlite_connection& db, step name, const stored& what)
{
    db.set_synced(true);
    fail_point(name, moment::before);
    db.prepare("UPDATE meta SET boot_id = ?, seq_floor = ?, seq_reserved = ?")
        .bind(what.boot_id)
        .bind(what.floor)
        .bind(what.reserved)
        .run();
    fail_point(name, moment::after);
}

} // namespace

event_log::event_log(sqlite_connection& db, std::string boot_id, seq_mark given, bool wal_gone)
    : boot_id_(std::move(boot_id)), given_(std::move(given))
{
    const stored state = load(db);
    const auto newest = events::newest(db);
    const bool was_open = !state.boot_id.empty();
    const bool lost_power = was_open && state.boot_id != boot_id_;
    const bool unknown = was_open && wal_gone && given_.found() == 0;
    has_lost_ = unknown || (given_.found() > newest && !lost_power);
    next_ = std::max({newest + 1, state.floor, given_.found() + 1,
        lost_power || unknown ? state.reserved + 1 : 0});
    // Told until an event follows it: whoever was to tell of it may have died before.
    if (next_ > newest + 1)
        jump_ = seq_jump{newest + 1, next_ - 1};
}

base::event_seq event_log::append(sqlite_connection& db, proto::api::event what)
{
    if (next_ > reserved_)
        throw sqlite_error{SQLITE_TOOBIG, "cannot append an event: too many in one transaction"};
    what.seq = next_;
    events::insert(db, what);
    ++next_;
    fresh_.push_back(std::move(what));
    return next_ - 1;
}

void event_log::rewind(std::size_t mark)
{
    next_ -= fresh_.size() - mark;
    fresh_.resize(mark);
}

bool event_log::make_room(sqlite_connection& db)
{
    if (next_ + events_per_commit <= reserved_)
        return false;
    const auto more = next_ + reserve_step;
    save(db, step::reserve_seq, {boot_id_, next_, more});
    reserved_ = more;
    return true;
}

committed_events event_log::take()
{
    if (fresh_.empty())
        return nullptr;
    given_.set(next_ - 1);
    return std::make_shared<const std::vector<proto::api::event>>(std::exchange(fresh_, {}));
}

void event_log::close(sqlite_connection& db)
{
    if (reserved_ != 0) // else it was never marked
        save(db, step::close, {"", next_, 0});
}

} // namespace agentd::store
