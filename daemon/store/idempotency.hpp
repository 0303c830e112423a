// The table of Idempotency-Keys: the first answer, kept 24 h, by uid and path. On the store's
// threads, inside the transaction of the call itself.
#pragma once

#include "base/clock.hpp"
#include "store/connection.hpp"

namespace agentd::store::idempotency {

struct row {
    std::uint32_t uid = 0;
    std::string path;
    std::string key;
    std::string body_hash; // of the request's body
    int status = 0;
    std::string location; // header of the answer; empty: none
    std::string answer;
};

[[nodiscard]] std::optional<row> find(connection& db, std::uint32_t uid, std::string_view path,
    std::string_view key, base::wall_time now);
void insert(connection& db, const row& what, base::wall_time now);
// Forgets up to `limit` that have expired; how many.
std::int64_t purge(connection& db, base::wall_time now, std::size_t limit);
[[nodiscard]] bool has_expired(connection& db, base::wall_time now);

} // namespace agentd::store::idempotency
