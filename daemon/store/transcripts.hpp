// A session's epochs and messages as they are, for what leaves as an export and comes back: with
// their own numbers, and with what the API does not show. On the store's threads, inside a
// transaction.
#pragma once

#include "proto/api/export.hpp"
#include "store/connection.hpp"

#include <vector>

namespace agentd::store::transcripts {

[[nodiscard]] std::vector<proto::api::export_epoch> epochs(
    connection& db, const base::session_id& id);
// Those with a greater seq than `after`, up to `until`, oldest first.
[[nodiscard]] std::vector<proto::api::export_message> messages(connection& db,
    const base::session_id& id, std::int64_t after, std::int64_t until, std::size_t limit);

// Puts one into a session that was inserted with the number of its messages.
void put(connection& db, const base::session_id& id, const proto::api::export_epoch& what);
void put(connection& db, const base::session_id& id, const proto::api::export_message& what);

} // namespace agentd::store::transcripts
