// The table of sessions. On the store's threads, inside a transaction.
#pragma once

#include "proto/api/types.hpp"
#include "store/connection.hpp"

namespace agentd::store::sessions {

struct row {
    proto::api::session shown;
    std::uint32_t owner_uid = 0;
    bool made_workdir = false; // the folder is ours to delete
    // Tokens of the conversation as its last complete reply has counted them; 0: not known.
    std::int64_t context_tokens = 0;
};

struct filter {
    std::optional<std::uint32_t> owner_uid; // absent: everyone's
    std::size_t limit = 0;
    std::string after; // id of the last one of the page before; newest first
};

// False if the id is taken.
[[nodiscard]] bool insert(connection& db, const row& what);
[[nodiscard]] std::optional<row> find(connection& db, const base::session_id& id);
[[nodiscard]] std::vector<row> list(connection& db, const filter& which);
// Ids that begin with `prefix` (any kind's id table has this), at most `limit`.
[[nodiscard]] std::vector<std::string> ids_with_prefix(connection& db, std::string_view prefix,
    std::optional<std::uint32_t> owner_uid, std::size_t limit);
void set_state(connection& db, const base::session_id& id, proto::api::session_state state);
void set_model(
    connection& db, const base::session_id& id, std::string_view model, std::int64_t epoch);
void add_usage(
    connection& db, const base::session_id& id, const proto::api::usage& more, double cost_usd);
void set_context(connection& db, const base::session_id& id, std::int64_t tokens);
// Removes it and all that belongs to it (tasks, messages, jobs, calls, notifications); events stay.
// Its ids and theirs are remembered: not given again, and still a place in a list.
void remove(connection& db, const base::session_id& id);
// Whether an id is remembered that was removed before that time / forgets the oldest ones, at
// most `limit` of them: how many.
[[nodiscard]] bool has_forgettable(connection& db, base::wall_time before);
[[nodiscard]] std::int64_t forget_removed(
    connection& db, base::wall_time before, std::size_t limit);
// Those with a task that is queued, running or waiting, or with a live job: work after a restart.
[[nodiscard]] std::vector<base::session_id> with_work(connection& db);
[[nodiscard]] std::int64_t count(connection& db);

} // namespace agentd::store::sessions
