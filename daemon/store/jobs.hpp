// The table of jobs. On the store's threads, inside a transaction.
#pragma once

#include "proto/api/types.hpp"
#include "store/connection.hpp"

namespace agentd::store::jobs {

struct row {
    proto::api::job shown;
    std::uint32_t owner_uid = 0;
    std::int64_t timeout_s = 0;             // 0: none
    std::string preview_head, preview_tail; // what its notification quotes; bytes as written
    // To recognise its processes after a crash: never signal a number alone.
    std::int64_t pid = 0, pid_start = 0;
    std::string boot_id;
};

struct filter {
    std::optional<std::uint32_t> owner_uid;
    std::optional<base::session_id> session_id;
    std::optional<base::task_id> task_id;
    std::vector<proto::api::job_state> states;
    std::size_t limit = 0;
    std::string after;
};

[[nodiscard]] bool insert(connection& db, const row& what); // false: the id is taken
[[nodiscard]] std::optional<row> find(connection& db, const base::job_id& id);
[[nodiscard]] std::vector<proto::api::job> list(
    connection& db, const filter& which); // newest first
[[nodiscard]] std::vector<std::string> ids_with_prefix(connection& db, std::string_view prefix,
    std::optional<std::uint32_t> owner_uid, std::size_t limit);
void start(connection& db, const base::job_id& id, base::wall_time now, std::int64_t pid,
    std::int64_t pid_start, std::string_view boot_id);
// Which process its shell is, whenever that is known.
void note_process(connection& db, const base::job_id& id, std::int64_t pid, std::int64_t pid_start,
    std::string_view boot_id);
// Writes the end (all of `shown` from state on, the preview). False if it had ended already.
[[nodiscard]] bool finish(connection& db, const row& ended);
// Jobs that are queued or running: of one task, of one session, of all.
[[nodiscard]] std::int64_t count_live(connection& db, const base::task_id& id);
[[nodiscard]] std::int64_t count_live(connection& db, const base::session_id& id);
[[nodiscard]] std::vector<row> live(connection& db);
// Those of a session that have ended, the newest first.
[[nodiscard]] std::vector<base::job_id> ended_of(
    connection& db, const base::session_id& id, std::size_t limit);
// What all jobs of a session that have ended have used together.
struct use {
    std::chrono::milliseconds cpu{0};
    std::chrono::milliseconds wall{0};
    std::uint64_t output_bytes = 0;
};
[[nodiscard]] use used(connection& db, const base::session_id& by);

} // namespace agentd::store::jobs
