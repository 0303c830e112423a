// Pages of the history. Three ways through the table, by what the filter names:
// 1. a session, or a task (by its session, from its first event on): the session's index;
// 2. only rare types: the index of these, merged from one run per type;
// 3. anything else: in order of seq, since what is asked for is dense.
// What the way does not test, matches() does on each row.
#include "store/event_pages.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace agentd::store::events {
namespace {

// Events looked at in one call: about 10 ms.
constexpr std::size_t looked_at = 20'000;

constexpr std::string_view columns =
    "SELECT seq, type, session, task, owner_uid, time, job, body FROM events ";

// The page being filled.
struct filling {
    const filter& which;
    std::size_t limit;
    std::vector<proto::api::event> items;

    // Takes the row if it matches; false when the page is full.
    bool look_at(const statement& from)
    {
        proto::api::event e;
        e.seq = static_cast<base::event_seq>(from.integer(0));
        e.type = from.text(1);
        e.session_id = base::session_id{from.text(2)};
        e.task_id = base::task_id{from.text(3)};
        std::optional<std::uint32_t> owner;
        if (const auto uid = from.maybe_integer(4))
            owner = static_cast<std::uint32_t>(*uid);
        if (!matches(which, e, owner))
            return true;
        e.time = from.time(5);
        e.job_id = base::job_id{from.text(6)};
        e.body = from.text(7);
        items.push_back(std::move(e));
        return items.size() < limit;
    }
};

// Reads `rows` until the page is full, the bound is met or they end. What was reached then.
base::event_seq walk(statement& rows, filling& page, base::event_seq newest)
{
    base::event_seq seen = 0;
    for (std::size_t count = 0; rows.next();) {
        seen = static_cast<base::event_seq>(rows.integer(0));
        if (!page.look_at(rows) || ++count == looked_at)
            return seen;
    }
    return newest;
}

// The session of a task and the seq before its first event.
struct task_place {
    std::string session;
    base::event_seq before = 0;
};

std::optional<task_place> find_task(connection& db, const base::task_id& id)
{
    auto found = db.prepare("SELECT session, first_seq FROM tasks WHERE id = ?");
    found.bind(id.str());
    if (!found.next())
        return std::nullopt;
    return task_place{found.text(0), static_cast<base::event_seq>(found.integer(1)) - 1};
}

base::event_seq walk_session(connection& db, std::string_view session, base::event_seq after,
    filling& page, base::event_seq newest)
{
    auto rows = db.prepare(std::string{columns} + "WHERE session = ? AND seq > ? ORDER BY seq");
    rows.bind(session).bind(after);
    return walk(rows, page, newest);
}

// The rare types there are in the history that the filter names; by seeks in the index.
std::vector<std::string> present_types(connection& db, const filter& which)
{
    std::vector<std::string> types;
    std::string last;
    while (true) {
        auto found =
            db.prepare("SELECT type FROM events WHERE rare = 1 AND type > ? ORDER BY type LIMIT 1");
        found.bind(last);
        if (!found.next())
            return types;
        last = found.text(0);
        if (is_of_type(which, last))
            types.push_back(last);
    }
}

// True if every event of the types has an index entry.
bool all_rare(const filter& which)
{
    return !which.types.empty() && std::ranges::all_of(which.types, [](const std::string& type) {
        return type.ends_with(".*") ? is_rare(type.substr(0, type.size() - 1)) : is_rare(type);
    });
}

base::event_seq walk_rare(
    connection& db, base::event_seq after, filling& page, base::event_seq newest)
{
    // The next numbers of each type; beyond the last one of a type that has more, unknown.
    const std::size_t each = page.which.owner_uid ? looked_at / 10 : page.limit;
    std::vector<base::event_seq> found;
    base::event_seq known = newest;
    for (const auto& type : present_types(db, page.which)) {
        auto rows = db.prepare("SELECT seq FROM events WHERE rare = 1 AND type = ? AND seq > ? "
                               "ORDER BY seq LIMIT ?");
        rows.bind(type).bind(after).bind(each);
        std::size_t count = 0;
        for (; rows.next(); ++count)
            found.push_back(static_cast<base::event_seq>(rows.integer(0)));
        if (count == each)
            known = std::min(known, found.back());
    }
    std::ranges::sort(found);
    for (const auto seq : found) {
        if (seq > known)
            break;
        auto row = db.prepare(std::string{columns} + "WHERE seq = ?");
        row.bind(seq);
        if (row.next() && !page.look_at(row))
            return seq;
    }
    return known;
}

} // namespace

std::vector<proto::api::event> page(connection& db, base::event_seq after, const filter& which,
    std::size_t limit, base::event_seq& reached)
{
    const auto end = std::max(after, newest(db));
    filling filled{which, limit, {}};
    if (limit == 0) {
        reached = after;
        return {};
    }
    const auto task = which.task_id ? find_task(db, *which.task_id) : std::nullopt;
    if (task) {
        reached = walk_session(db, task->session, std::max(after, task->before), filled, end);
    } else if (which.session_id) {
        reached = walk_session(db, which.session_id->str(), after, filled, end);
    } else if (all_rare(which)) {
        reached = walk_rare(db, after, filled, end);
    } else {
        auto rows = db.prepare(std::string{columns} + "WHERE seq > ? ORDER BY seq");
        rows.bind(after);
        reached = walk(rows, filled, end);
    }
    return std::move(filled.items);
}

} // namespace agentd::store::events
