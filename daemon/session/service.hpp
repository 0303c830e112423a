// What the daemon does for its callers: the local API without HTTP. Every call checks whose
// the thing is; what the caller may not see does not exist for him (errc::not_found).
// Callable from any strand.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "jobs/spool_times.hpp"
#include "proto/api/types.hpp"
#include "session/caller.hpp"
#include "store/events.hpp"

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace agentd::session {

// What goes wrong with a call; api maps each to a status and a problem type in one table.
enum class errc {
    not_found = 1,     // 404: no such thing for this caller
    ambiguous_id,      // 409: several things begin so; the text names up to 10
    bad_id,            // 400: no id at all (too short, other letters)
    invalid_field,     // 422: the text begins with `field "NAME": `
    task_ended,        // 409
    session_busy,      // 409: it has an open task or a live job
    too_many_tasks,    // 429
    too_many_messages, // 429
    too_many_sessions, // 429
    workspace_denied,  // 403
    key_reused,        // 422: Idempotency-Key with another body
    draining,          // 503: the daemon is stopping
    storage_full,      // 507
    storage_failed,    // 503
    no_input,          // 409: the job did not ask for stdin, or has ended
    line_too_long,     // 422: a line of input that a terminal would cut
    gone,              // 410: the job's output is not kept any more
};
[[nodiscard]] std::string_view error_text(errc);

} // namespace agentd::session

AGENTD_ERROR_ENUM(agentd::session)

namespace agentd::session {

// A repeatable call: same key and body, first answer. `answer` makes the stored body.
struct idempotency_key {
    std::string key;
    std::string path;
    std::string body_hash;
};

// A call's effect, new or the one that an earlier call with the same key had.
struct submitted {
    std::string answer; // the JSON body that was stored with the key, or of the new task
    base::task_id id;
};

struct task_filter {
    std::vector<proto::api::task_state> states;
    std::string session_id; // id or prefix; empty: all
    proto::api::labels labels;
    std::size_t limit = 0;
    std::string after;
};

struct job_filter {
    std::string session_id, task_id; // ids or prefixes
    std::vector<proto::api::job_state> states;
    std::size_t limit = 0;
    std::string after;
};

template <class T>
struct page {
    std::vector<T> items;
    std::string next;        // `after` of the next page; empty: the last one
    base::event_seq seq = 0; // the history's newest event when the page was read
};

// Which piece of a job's output.
struct output_range {
    std::uint64_t offset = 0;
    std::size_t limit = 0; // bytes
    bool follow = false;   // wait until there is at least one byte, or the job has ended
    bool times = false;
};

// One piece of a job's output.
struct output_piece {
    std::string bytes;
    std::vector<jobs::time_mark> times; // where asked for; as in jobs::piece
    std::uint64_t next_offset = 0;
    proto::api::byte_gap gap{}; // left out before `bytes`; empty: none
    bool ended = false;         // the job has ended and nothing follows
};

// How far an export has come, and its next lines.
struct export_cursor {
    bool begun = false;
    std::int64_t epochs = 0, messages = 0; // that it has in all
    std::int64_t after = 0;                // the seq of the last message given
};
struct export_piece {
    std::string lines;
    export_cursor next;
    bool last = false;
};

// Where an imported session works: by default where it did.
struct import_options {
    std::optional<std::string> workdir;
    bool fresh = false; // in a folder made for it
};

// Bytes that come from somewhere; "": there are no more.
class piece_source {
public:
    virtual ~piece_source() = default;
    virtual aio::awaitable<base::result<std::string>> next() = 0;
};

// Counts for /v1/info and /metrics.
struct counts {
    std::int64_t sessions = 0, live_sessions = 0;
    std::int64_t tasks_queued = 0, tasks_running = 0, tasks_waiting = 0;
    std::int64_t jobs_running = 0, jobs_queued = 0;
    base::event_seq newest_seq = 0;
};

class service {
public:
    virtual ~service() = default;

    // `body` of the answer is proto::api's JSON of the new task.
    virtual aio::awaitable<base::result<submitted>> submit(
        caller who, proto::api::submit_request what, std::optional<idempotency_key> key) = 0;
    virtual aio::awaitable<base::result<proto::api::task>> task(caller who, std::string id) = 0;
    // As task(), but goes on only when it has ended or after `limit`.
    virtual aio::awaitable<base::result<proto::api::task>> wait(
        caller who, std::string id, std::chrono::milliseconds limit) = 0;
    virtual aio::awaitable<base::result<page<proto::api::task>>> tasks(
        caller who, task_filter which) = 0;
    // The task as it is after the request; `already_ended` when there was nothing to cancel.
    struct cancelled {
        proto::api::task task;
        bool already_ended = false;
    };
    virtual aio::awaitable<base::result<cancelled>> cancel(caller who, std::string id) = 0;
    virtual aio::awaitable<base::result<submitted>> add_message(
        caller who, std::string id, std::string text, std::optional<idempotency_key> key) = 0;

    virtual aio::awaitable<base::result<proto::api::session>> session(
        caller who, std::string id) = 0;
    virtual aio::awaitable<base::result<page<proto::api::session>>> sessions(
        caller who, std::size_t limit, std::string after) = 0;
    virtual aio::awaitable<base::result<page<proto::api::message>>> messages(
        caller who, std::string session_id, std::int64_t after_seq, std::size_t limit) = 0;
    virtual aio::awaitable<base::result<void>> remove_session(caller who, std::string id) = 0;
    // The next lines of a session's export; it has the messages that there were at its beginning.
    virtual aio::awaitable<base::result<export_piece>> export_session(
        caller who, std::string id, export_cursor from) = 0;
    // A session of what an export gave: all of it or, with an error, nothing. It keeps its id
    // if that was never used here. `from` outlives the call; its errors are passed on.
    virtual aio::awaitable<base::result<proto::api::session>> import_session(
        caller who, import_options how, piece_source& from) = 0;

    virtual aio::awaitable<base::result<proto::api::job>> job(caller who, std::string id) = 0;
    virtual aio::awaitable<base::result<page<proto::api::job>>> jobs(
        caller who, job_filter which) = 0;
    virtual aio::awaitable<base::result<output_piece>> job_output(
        caller who, std::string id, output_range which) = 0;
    // The offset at which the last `lines` lines of the kept output begin.
    virtual aio::awaitable<base::result<std::uint64_t>> tail_offset(
        caller who, std::string id, std::size_t lines) = 0;
    // Stops the tree; goes on when it is gone. An ended job: unchanged.
    virtual aio::awaitable<base::result<proto::api::job>> kill_job(caller who, std::string id) = 0;

    // Writes to the job's stdin, then closes it with `eof`; what was taken, and why not all.
    // errc::no_input: it did not ask for one, has ended, or its input is closed;
    // errc::line_too_long.
    virtual aio::awaitable<base::result<proto::api::input_written>> write_input(
        caller who, std::string id, std::string text, bool eof) = 0;

    // Ids in an event filter may be prefixes; this makes them whole and checks whose they are.
    virtual aio::awaitable<base::result<store::events::filter>> event_filter(caller who,
        std::string task_id, std::string session_id, std::vector<std::string> types) = 0;
    virtual aio::awaitable<base::result<counts>> count() = 0;
};

} // namespace agentd::session
