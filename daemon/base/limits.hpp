// The bounds of everything that could grow, each with the reason for its size. What users
// may change is a configuration key and only has its default here. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace agentd::limits {

using namespace std::chrono_literals;

// --- API: what one client may send, hold and wait for (DESIGN §6)
inline constexpr std::size_t prompt_bytes = 1U << 20;
inline constexpr std::size_t api_body_bytes = 8U << 20;
inline constexpr std::size_t api_header_bytes = 64U << 10; // far above any client's head
inline constexpr std::size_t api_connections = 1024;
inline constexpr std::size_t api_connections_per_uid = 128;
inline constexpr auto api_header_deadline = 10s;
inline constexpr auto api_body_deadline = 60s; // 8 MiB over a local socket takes milliseconds
inline constexpr auto api_write_stall = 30s;
inline constexpr auto api_idle = 75s;  // longer than the pause of a polling client
inline constexpr auto api_linger = 2s; // for a client that still sends what was refused
inline constexpr std::size_t api_linger_bytes = 256U << 20;
inline constexpr std::size_t api_refusals = 64;            // connections over the cap that hear why
inline constexpr std::size_t output_read_bytes = 8U << 20; // of a job, in one answer
inline constexpr std::size_t output_piece_bytes = 256U << 10;
inline constexpr std::size_t event_page = 256; // events read from the store at once
inline constexpr auto heartbeat = 15s;
inline constexpr std::size_t live_events_bytes = 4U << 20; // unsent, per reader; then "lagged"
inline constexpr std::size_t list_items = 200;             // most of one page; default 50
inline constexpr std::size_t list_default = 50;
inline constexpr std::size_t labels = 16;
inline constexpr std::size_t label_value_bytes = 256;
inline constexpr std::size_t task_env = 64;
inline constexpr std::size_t env_name_bytes = 256;
inline constexpr std::size_t env_value_bytes = 64U << 10; // exec takes 128 KiB in one string,
inline constexpr std::size_t env_bytes = 1U << 20;        // 2 MiB in all
inline constexpr std::size_t workdir_bytes = 4095;        // PATH_MAX without its NUL
inline constexpr std::size_t model_name_bytes = 256;
inline constexpr std::size_t idempotency_key_bytes = 255;
inline constexpr std::size_t tail_bytes = 8U << 20;     // looked through for tail_lines
inline constexpr std::size_t jobs_of_session = 100'000; // whose output goes with their session
inline constexpr auto output_recheck = 50ms; // of a followed job whose output has not begun
inline constexpr auto kill_deadline = 60s;   // one POST .../kill; the job's end comes as an event
inline constexpr auto wait_longest = 600s;   // one GET .../wait; clients ask again

// --- Sessions and turns (DESIGN §3-5)
inline constexpr std::size_t running_tasks = 1000;
inline constexpr std::size_t queued_tasks = 10'000;
inline constexpr std::size_t sessions = 100'000; // rows of the database; some KiB each and more
inline constexpr std::size_t pending_messages = 100;
inline constexpr std::size_t max_turns = 200;
inline constexpr std::size_t continuations = 3;       // "Please continue." in a row
inline constexpr std::size_t pause_continuations = 5; // wire reference §2.1
inline constexpr auto wake_window = 200ms;
inline constexpr std::int64_t context_window = 200'000; // tokens; of a model that says nothing
inline constexpr std::int64_t bytes_per_token = 3;      // rather too few: an estimate errs upwards
inline constexpr std::int64_t summary_tokens = 1024;    // room that a summary needs at the least
inline constexpr std::size_t compaction_failures = 3;   // in a row; then it is left alone
inline constexpr std::size_t digest_text_bytes = 8000;  // of one text, where all is too long
inline constexpr std::size_t digest_call_bytes = 1500;  // of a call's input, of its result
inline constexpr std::size_t calls_at_once = 8;
inline constexpr std::size_t notice_preview_chars = 2000;
inline constexpr std::size_t notice_element_chars = 20'000;
inline constexpr std::size_t command_chars = 80;
inline constexpr std::size_t quoted_input_bytes = 500;   // of a broken tool input, in its answer
inline constexpr std::size_t jobs_listed_to_model = 200; // one line each in check_background
inline constexpr std::size_t session_signals = 4096; // far above all jobs and messages of a session
// Crash loops (session/recovery.md): ends of the daemon under one task, and the trial of those
// that have met one less.
inline constexpr std::int64_t crash_loop_ends = 3;
inline constexpr std::int64_t crash_loop_ends_in_company = 2 * crash_loop_ends;
inline constexpr std::chrono::milliseconds suspect_pause = 1s; // the others live so long first
inline constexpr std::size_t suspects_apart = 30; // tried one by one; the rest with the last
inline constexpr std::chrono::milliseconds suspect_trial = 600s; // a slow reply, a long command
inline constexpr std::chrono::milliseconds suspect_look = 20ms;  // between looks; doubled up to
inline constexpr std::chrono::milliseconds suspect_look_longest = 500ms;

// --- Tools and jobs (DESIGN §4)
inline constexpr std::size_t tool_output_chars = 50'000;
inline constexpr std::size_t command_bytes = (128U << 10) - 1; // of one argument of exec
inline constexpr std::size_t file_bytes = 64U << 20;           // read or edited in one go
inline constexpr auto bash_timeout = 120s;
inline constexpr auto bash_timeout_longest = 600s;
inline constexpr auto job_timeout = 3600s;
inline constexpr auto job_timeout_longest = 30 * 24h; // what a model may ask for
inline constexpr auto wait_timeout = 600s;
inline constexpr auto wait_timeout_longest = 3600s;
inline constexpr std::size_t jobs_per_session = 16;
inline constexpr std::size_t jobs_per_daemon = 256;
inline constexpr std::size_t jobs_queued_per_session = 100;
inline constexpr std::size_t foreground_commands = 512;
inline constexpr std::size_t foreground_queued = 10'000; // per session: 8 calls a turn, far above
inline constexpr auto job_grace = 5s;                    // TERM, then KILL
inline constexpr auto output_drain = 200ms; // after the exit, while somebody holds the pipe
inline constexpr auto kill_round = 100ms;   // between two looks at what a KILL has left
inline constexpr auto kill_patience = 10s;  // an aborted job gives up on what even KILL leaves
inline constexpr int job_oom_raise = 500;   // commands die for want of memory before agentd does
inline constexpr int oom_score_highest = 1000;
inline constexpr std::size_t output_chunk = 64U << 10;           // one read; the size of a pipe
inline constexpr std::size_t preview_head_bytes = 2000;          // 500 characters of up to 4 bytes
inline constexpr std::size_t preview_tail_bytes = 6000;          // 1,500 of them
inline constexpr std::size_t capture_head_bytes = 50'000;        // a quarter of tool_output_chars
inline constexpr std::size_t capture_tail_bytes = 150'000;       // three quarters
inline constexpr std::size_t job_output_bytes = 64U << 20;       // spooled per job, head and tail
inline constexpr std::size_t spool_bytes = std::size_t{4} << 30; // all of jobs/
inline constexpr std::size_t spool_buffer = 256U << 10;          // waiting for the disk, per job

// --- JSON that comes from outside
inline constexpr std::size_t json_depth = 128; // the walk is recursive; real inputs stay below 20

// --- Model (DESIGN §5, wire reference §4.3)
inline constexpr auto connect_deadline = 10s;
inline constexpr auto handshake_deadline = 10s;
inline constexpr auto send_deadline = 60s;
inline constexpr auto first_byte_deadline = 600s;
inline constexpr auto stream_idle_deadline = 300s;
inline constexpr auto retry_for = 900s;
inline constexpr auto backoff_first = 500ms;
inline constexpr auto backoff_longest = 30s;
inline constexpr std::size_t sse_event_bytes = 32U << 20;
inline constexpr std::size_t reply_bytes = 64U << 20;
inline constexpr std::size_t reply_blocks = 1024;
inline constexpr std::size_t reply_header_bytes = 64U << 10;
inline constexpr std::size_t error_body_bytes = 64U << 10;
inline constexpr std::size_t request_bytes = 32U << 20;
inline constexpr auto connection_idle = 60s;
inline constexpr std::size_t idle_connections = 128; // kept open, per origin
inline constexpr auto rate_gate_spacing = 25ms;      // between those who waited for the same limit
inline constexpr std::size_t malformed_replies = 3;  // in a row; the server will not learn
inline constexpr std::size_t interim_replies = 16;   // 1xx before the reply
inline constexpr std::chrono::milliseconds server_end_margin = 1s; // before Keep-Alive's timeout
inline constexpr auto next_address_after = 250ms; // RFC 8305's pause before one more is tried
inline constexpr std::size_t addresses_tried = 8; // of one name: each may hold a descriptor
inline constexpr std::size_t lookup_threads = 4;  // of one origin; a stalled look-up holds one
inline constexpr auto lookup_patience = 2s;       // then another is begun beside it
inline constexpr std::size_t tls_sessions = 16;   // per origin; a server gives two at a time
inline constexpr std::size_t proxy_reason_bytes = 1000;   // of a proxy's refusal, shown
inline constexpr std::size_t connect_errors_chars = 1500; // one line for each address tried
inline constexpr auto reply_drain = 200ms; // for the end of a reply that is complete already
inline constexpr std::size_t overloads_before_fallback = 3; // in a row, if there is one
inline constexpr auto rate_hold_longest = 60s;    // of all, for one reply's wish; then one probes
inline constexpr auto rate_reset_longest = 10s;   // "remaining: 0": a bucket refills all the time
inline constexpr auto rate_probe_recheck = 500ms; // of those behind a probe that is under way
inline constexpr auto rate_probe_patience = 30s;  // with one that brings no answer
inline constexpr std::size_t rate_lanes = 64;     // models with limits of their own, per origin
inline constexpr std::size_t known_models = 64;   // whose input limit is remembered, per origin
inline constexpr auto known_model_recheck = 60s;  // when the server could not be asked for it
inline constexpr auto side_call_deadline = 20s;   // of a free question: models, count_tokens
inline constexpr std::size_t side_reply_bytes = 4U << 20; // a gateway's list of models has one
inline constexpr auto online_check_deadline = 120s; // all questions of --check-config --online
inline constexpr std::size_t models_named = 8;      // of those that a server knows, in an error

// --- agentctl
inline constexpr auto client_connect_deadline = 5s; // a local socket; a full backlog is waited for
inline constexpr auto client_reply_deadline = 60s;  // of a call that waits for nothing
inline constexpr auto client_wait_piece = 60s;      // of one GET .../wait; then again
inline constexpr auto client_wait_longest = std::chrono::hours{24 * 365}; // "for ever"
inline constexpr auto client_stream_silence = 60s;                        // four heartbeats
inline constexpr auto client_reconnect_for = 60s; // longer than a restart of the daemon
inline constexpr auto client_reconnect_pause = 100ms;
inline constexpr std::size_t client_reply_bytes = 256U << 20; // one answer held in memory
inline constexpr std::size_t client_barren_streams = 20;      // reopened in a row, nothing coming

// --- Store
inline constexpr std::size_t store_queue = 32'768; // above all coroutines that could wait at once
inline constexpr std::size_t store_batch = 256;    // works in one commit: some ms at most
inline constexpr auto store_probe = 1s;            // while writes fail: is the disk back?
inline constexpr auto idempotency_kept = 24h;

// --- Process
inline constexpr auto former_death = 2000ms; // from SIGKILL to the death of who is in a group
inline constexpr auto former_end = 3000ms;   // all that is done about what a dead run has left
inline constexpr auto former_round = 500ms;  // between two looks while somebody dies
inline constexpr auto stuck_death = 100ms;   // of who is in a group that has not emptied before
inline constexpr auto lock_patience =
    former_end + 2000ms;                             // who cleans up holds the lock; its looks
inline constexpr auto slow_start_step = 200ms;       // told from then on
inline constexpr std::size_t run_record_items = 256; // groups, processes: more are not remembered
inline constexpr auto watcher_exit = 1000ms;     // from being told to stop; it does nothing else
inline constexpr std::size_t former_passes = 20; // looks at all processes; more only forks can need
inline constexpr auto store_retry = 1s;     // between tries of a session's step on a failing disk
inline constexpr int broken_step_tries = 3; // of one that breaks a rule: waiting mends nothing
inline constexpr auto stop_deadline = 60s;  // an orderly stop; below the unit's TimeoutStopSec

} // namespace agentd::limits
