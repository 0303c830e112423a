// Reading the table of events (connection::append_event writes it). On the store's reading
// thread.
#pragma once

#include "proto/api/types.hpp"
#include "store/connection.hpp"

namespace agentd::store::events {

struct filter {
    std::optional<base::task_id> task_id;
    std::optional<base::session_id> session_id;
    std::vector<std::string> types;         // exact names; "task.*" for a family; empty: all
    std::optional<std::uint32_t> owner_uid; // only of his sessions, and daemon.*
};

// Events with seq > after, oldest first, at most `limit`. `reached` gets the seq up to which
// the history was looked at, at least the last match. One call looks at a bounded number of
// events, so that other readers get their turn: a page may be short, even empty, before the
// end. Go on with after = reached until reached >= newest.
[[nodiscard]] std::vector<proto::api::event> page(connection& db, base::event_seq after,
    const filter& which, std::size_t limit, base::event_seq& reached);
// 0 when there are none.
[[nodiscard]] base::event_seq oldest(connection& db);
[[nodiscard]] base::event_seq newest(connection& db);
// The same test for one live event; `owner` is the owner of its session.
[[nodiscard]] bool matches(
    const filter& which, const proto::api::event& what, std::optional<std::uint32_t> owner);

// Adds one whose seq is set; connection::append_event does it. On the writing thread.
void insert(connection& db, proto::api::event& what);
// Forgets up to `limit` of the oldest events with seq <= `up_to` that are older than `before`;
// how many. The newest event stays, since the numbers go on from it. On the writing thread.
std::int64_t purge(
    connection& db, base::event_seq up_to, base::wall_time before, std::size_t limit);

} // namespace agentd::store::events
