// The first version of the schema. Common to its tables:
// - `n`, the rowid, counts insertions: lists are ordered by it, newest first, never by time.
// - Times are ms since the epoch; states are the numbers of store/columns.hpp.
// - Rows that change often are short: what is large and written once (prompts, inputs,
//   results) stands in tables of its own, since SQLite rewrites a whole row.
#pragma once

namespace agentd::store::schema {

inline constexpr const char* v1 = R"sql(
-- One row: the numbers of events (event_log.hpp).
CREATE TABLE meta (
    boot_id      TEXT NOT NULL DEFAULT '',
    seq_floor    INTEGER NOT NULL DEFAULT 1,
    seq_reserved INTEGER NOT NULL DEFAULT 0,
    probes       INTEGER NOT NULL DEFAULT 0 -- writes that tried whether the disk is back
);
INSERT INTO meta DEFAULT VALUES;

CREATE TABLE sessions (
    n            INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    owner_uid    INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    model        TEXT NOT NULL,
    epoch        INTEGER NOT NULL,
    messages     INTEGER NOT NULL,
    input        INTEGER NOT NULL,
    output       INTEGER NOT NULL,
    cache_read   INTEGER NOT NULL,
    cache_write  INTEGER NOT NULL,
    cost_usd     REAL NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    made_workdir INTEGER NOT NULL,
    workdir      TEXT NOT NULL
);
CREATE INDEX sessions_owner ON sessions (owner_uid);

-- Ids of what was deleted: never given again, still a place in a list, still somebody's.
CREATE TABLE removed (
    id        TEXT PRIMARY KEY,
    n         INTEGER NOT NULL,
    owner_uid INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE tasks (
    n                INTEGER PRIMARY KEY,
    id               TEXT NOT NULL UNIQUE,
    session          TEXT NOT NULL,
    owner_uid        INTEGER NOT NULL,
    state            INTEGER NOT NULL,
    jobs_at_end      INTEGER NOT NULL,
    priority         INTEGER NOT NULL,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    turns            INTEGER NOT NULL DEFAULT 0,
    result_turn      INTEGER,
    input            INTEGER NOT NULL DEFAULT 0,
    output           INTEGER NOT NULL DEFAULT 0,
    cache_read       INTEGER NOT NULL DEFAULT 0,
    cache_write      INTEGER NOT NULL DEFAULT 0,
    cost_usd         REAL NOT NULL DEFAULT 0,
    max_turns        INTEGER NOT NULL,
    timeout_s        INTEGER NOT NULL,
    budget_usd       REAL,
    max_tokens_total INTEGER,
    elapsed_ms       INTEGER NOT NULL DEFAULT 0,
    unclean_ends     INTEGER NOT NULL DEFAULT 0,
    first_seq        INTEGER NOT NULL, -- no event of it has a smaller one
    created_at       INTEGER NOT NULL,
    started_at       INTEGER,
    ended_at         INTEGER,
    stop_reason      TEXT NOT NULL DEFAULT '',
    error_type       TEXT,
    error_message    TEXT,
    error_status     INTEGER,
    error_request_id TEXT,
    model            TEXT NOT NULL,
    labels           TEXT NOT NULL
);
CREATE INDEX tasks_session ON tasks (session);
CREATE INDEX tasks_owner ON tasks (owner_uid);
CREATE INDEX tasks_state ON tasks (state);
CREATE INDEX tasks_queued ON tasks (session) WHERE state = 0;
-- Tasks of one session run strictly one after another.
CREATE UNIQUE INDEX tasks_open ON tasks (session) WHERE state IN (1, 2);

CREATE TABLE task_inputs (
    task   INTEGER PRIMARY KEY,
    prompt TEXT NOT NULL,
    system TEXT NOT NULL,
    env    TEXT NOT NULL
);
CREATE TABLE task_results (
    task   INTEGER PRIMARY KEY,
    result TEXT NOT NULL
);
CREATE TABLE task_labels (
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    task  INTEGER NOT NULL,
    PRIMARY KEY (key, value, task)
) WITHOUT ROWID;

CREATE TABLE epochs (
    session TEXT NOT NULL,
    number  INTEGER NOT NULL,
    model   TEXT NOT NULL,
    system  TEXT NOT NULL,
    tools   TEXT NOT NULL,
    UNIQUE (session, number)
);
CREATE TABLE messages (
    n          INTEGER PRIMARY KEY,
    session    TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    end_epoch  INTEGER, -- the first epoch that it is no part of; NULL: still is
    answered   INTEGER NOT NULL,
    task       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    role       TEXT NOT NULL,
    content    TEXT NOT NULL,
    UNIQUE (session, seq)
);

CREATE TABLE calls (
    n           INTEGER PRIMARY KEY,
    session     TEXT NOT NULL,
    message_seq INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    is_error    INTEGER NOT NULL DEFAULT 0,
    task        TEXT NOT NULL,
    tool_id     TEXT NOT NULL,
    name        TEXT NOT NULL,
    UNIQUE (session, message_seq, position)
);
CREATE TABLE call_inputs (
    call  INTEGER PRIMARY KEY,
    input TEXT NOT NULL
);
CREATE TABLE call_answers (
    call INTEGER PRIMARY KEY,
    text TEXT NOT NULL
);

CREATE TABLE jobs (
    n            INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    session      TEXT NOT NULL,
    task         TEXT NOT NULL,
    owner_uid    INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    ended_by     TEXT NOT NULL DEFAULT '',
    exit_code    INTEGER,
    signal       INTEGER,
    oom          INTEGER NOT NULL DEFAULT 0,
    wall_ms      INTEGER,
    cpu_ms       INTEGER,
    peak_bytes   INTEGER,
    output_bytes INTEGER NOT NULL DEFAULT 0,
    gap_start    INTEGER,
    gap_end      INTEGER,
    queued_at    INTEGER NOT NULL,
    started_at   INTEGER,
    ended_at     INTEGER,
    timeout_s    INTEGER NOT NULL,
    pid          INTEGER NOT NULL DEFAULT 0,
    pid_start    INTEGER NOT NULL DEFAULT 0,
    boot_id      TEXT NOT NULL DEFAULT '',
    reason       TEXT NOT NULL DEFAULT '',
    command      TEXT NOT NULL,
    preview_head BLOB NOT NULL DEFAULT x'',
    preview_tail BLOB NOT NULL DEFAULT x''
);
CREATE INDEX jobs_session ON jobs (session);
CREATE INDEX jobs_task ON jobs (task);
CREATE INDEX jobs_owner ON jobs (owner_uid);
CREATE INDEX jobs_live ON jobs (session, task) WHERE state < 2;

CREATE TABLE notifications (
    n           INTEGER PRIMARY KEY,
    session     TEXT NOT NULL,
    task        TEXT NOT NULL,
    kind        INTEGER NOT NULL,
    delivered   INTEGER NOT NULL DEFAULT 0,
    message_seq INTEGER NOT NULL DEFAULT 0,
    job         TEXT NOT NULL,
    text        TEXT NOT NULL
);
CREATE INDEX notifications_session ON notifications (session, delivered);
CREATE INDEX notifications_task ON notifications (task) WHERE delivered = 0;

-- Events outlive their sessions. A task's events are found by its session and first_seq; `rare`
-- marks the types that are not dense in the history (events.cpp), so that only these cost
-- an index.
CREATE TABLE events (
    seq       INTEGER PRIMARY KEY,
    time      INTEGER NOT NULL,
    rare      INTEGER NOT NULL,
    owner_uid INTEGER, -- of its session
    type      TEXT NOT NULL,
    session   TEXT,
    task      TEXT,
    job       TEXT,
    body      TEXT NOT NULL
);
CREATE INDEX events_session ON events (session) WHERE session IS NOT NULL;
CREATE INDEX events_rare ON events (type) WHERE rare = 1;

CREATE TABLE idempotency (
    uid       INTEGER NOT NULL,
    path      TEXT NOT NULL,
    key       TEXT NOT NULL,
    made_at   INTEGER NOT NULL,
    status    INTEGER NOT NULL,
    body_hash TEXT NOT NULL,
    location  TEXT NOT NULL,
    answer    TEXT NOT NULL,
    UNIQUE (uid, path, key)
);
CREATE INDEX idempotency_made ON idempotency (made_at);
)sql";

} // namespace agentd::store::schema
