// Lists of tasks by every mixture of filters, newest first. One index leads (the one that
// leaves least to look at), the other conditions are tested on its rows; `+` keeps SQLite
// from choosing otherwise.
#include "store/columns.hpp"
#include "store/task_row.hpp"

#include <fmt/format.h>

#include <limits>

namespace agentd::store::tasks {
namespace {

proto::api::task read_shown(const statement& from)
{
    proto::api::task t;
    t.id = base::task_id{from.text(0)};
    t.session_id = base::session_id{from.text(1)};
    t.owner_uid = static_cast<std::uint32_t>(from.integer(2));
    t.state = enum_of<proto::api::task_state>(from.integer(3));
    t.jobs_at_end = enum_of<proto::api::jobs_at_end>(from.integer(4));
    t.priority = static_cast<int>(from.integer(5));
    t.cancel_requested = from.integer(6) != 0;
    t.turns = from.integer(7);
    // What the model has said so far is a result only when the task has ended.
    if (has_ended(t.state)) {
        t.result_turn = from.maybe_integer(8);
        t.result = from.maybe_text(33);
    }
    t.usage = usage_at(from, 9);
    t.cost_usd = from.real(13);
    t.created_at = from.time(20);
    t.started_at = from.maybe_time(21);
    t.ended_at = from.maybe_time(22);
    t.stop_reason = from.text(23);
    if (!from.is_null(24)) {
        t.error = proto::api::task_error{from.text(24), from.text(25), {}, from.text(27)};
        if (const auto status = from.maybe_integer(26))
            t.error->status = static_cast<int>(*status);
    }
    t.model = from.text(28);
    t.labels = decode_map(from.text(29));
    t.prompt = from.text(30);
    return t;
}

// The states as a list of numbers; as text, since there are few different ones.
std::string state_list(const std::vector<proto::api::task_state>& states)
{
    std::string out;
    for (const auto state : states)
        out += fmt::format("{}{}", out.empty() ? "" : ", ", number_of(state));
    return out;
}

bool all_unended(const std::vector<proto::api::task_state>& states)
{
    for (const auto state : states)
        if (proto::api::has_ended(state))
            return false;
    return !states.empty();
}

// The query for a filter; binding has the same order (see list).
std::string query(const filter& which)
{
    const bool by_label = !which.labels.empty();
    const bool by_session = !by_label && which.session_id.has_value();
    // Few tasks have not ended; the rest are dense in the list. One state is an index's range.
    const bool by_state =
        !by_label && !by_session && (which.states.size() == 1 || all_unended(which.states));
    const bool by_owner = !by_label && !by_session && !by_state && which.owner_uid.has_value();

    std::string where;
    for (std::size_t i = 0; i < which.labels.size(); ++i)
        where += i == 0 ? " AND l.key = ? AND l.value = ?"
                        : " AND EXISTS (SELECT 1 FROM task_labels m "
                          "WHERE m.key = ? AND m.value = ? AND m.task = t.n)";
    if (which.session_id)
        where += by_session ? " AND t.session = ?" : " AND +t.session = ?";
    if (which.owner_uid)
        where += by_owner ? " AND t.owner_uid = ?" : " AND +t.owner_uid = ?";
    if (!which.states.empty())
        where +=
            fmt::format(" AND {}t.state IN ({})", by_state ? "" : "+", state_list(which.states));
    const std::string_view place = by_label ? "l.task" : "t.n";
    const std::string_view lead = by_label ? "task_labels l CROSS JOIN " : "";
    return fmt::format("SELECT {} FROM {}{} WHERE {} < ?{}{} ORDER BY {} DESC LIMIT ?", row_columns,
        lead, row_tables, place, by_label ? " AND t.n = l.task" : "", where, place);
}

} // namespace

row read_row(const statement& from)
{
    row out;
    out.shown = read_shown(from);
    out.max_turns = from.integer(14);
    out.timeout_s = from.integer(15);
    if (!from.is_null(16))
        out.budget_usd = from.real(16);
    out.max_tokens_total = from.maybe_integer(17);
    out.elapsed_ms = from.integer(18);
    out.unclean_ends = from.integer(19);
    out.system = from.text(31);
    out.env = decode_map(from.text(32));
    return out;
}

std::vector<proto::api::task> list(connection& db, const filter& which)
{
    std::int64_t below = std::numeric_limits<std::int64_t>::max();
    if (!which.after.empty())
        below = place_of(db, "tasks", which.after).value_or(0);
    auto found = db.prepare(query(which));
    found.bind(below);
    for (const auto& [key, value] : which.labels)
        found.bind(key).bind(value);
    if (which.session_id)
        found.bind(which.session_id->str());
    if (which.owner_uid)
        found.bind(*which.owner_uid);
    found.bind(which.limit);
    std::vector<proto::api::task> tasks;
    while (found.next())
        tasks.push_back(read_shown(found));
    return tasks;
}

} // namespace agentd::store::tasks
