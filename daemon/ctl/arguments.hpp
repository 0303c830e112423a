// The command line of agentctl as a value. Pure; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace agentd::ctl {

// The fields of a submit; absent ones are left to the daemon.
struct task_fields {
    std::string prompt; // as given: text, "-" or "@FILE"
    std::optional<std::string> session;
    std::optional<std::string> workdir;
    bool fresh = false; // no workdir: the daemon makes one
    std::optional<std::string> system;
    std::optional<std::string> model;
    std::vector<std::pair<std::string, std::string>> env;
    std::optional<std::int64_t> max_turns;
    std::optional<std::int64_t> timeout_s;
    std::optional<double> budget_usd;
    std::optional<std::int64_t> max_tokens_total;
    std::optional<std::string> jobs_at_end;
    std::optional<std::int64_t> priority;
    std::vector<std::pair<std::string, std::string>> labels;
    std::optional<std::string> idempotency_key;
};

struct submit_verb {
    task_fields task;
};
struct run_verb {
    task_fields task;
    bool quiet = false;
};
struct ls_verb {
    std::vector<std::string> states;
    std::optional<std::string> session;
    std::vector<std::pair<std::string, std::string>> labels;
    std::int64_t limit = 0; // 0: all
};
struct show_verb {
    std::string id;
};
struct follow_verb {
    std::string id;
    std::optional<std::string> after;
};
struct wait_verb {
    std::vector<std::string> ids;
    bool any = false;
    std::optional<std::int64_t> timeout_s;
};
struct cancel_verb {
    std::vector<std::string> ids;
};
struct send_verb {
    std::string id;
    std::string text; // as given: text, "-" or "@FILE"
    std::optional<std::string> idempotency_key;
};
struct jobs_verb {
    std::optional<std::string> session;
    std::optional<std::string> task;
    std::vector<std::string> states;
    std::int64_t limit = 0;
};
struct output_verb {
    std::string job;
    bool follow = false;
    bool raw = false;
    bool timestamps = false;
    std::optional<std::int64_t> offset;
    std::optional<std::int64_t> limit;
    std::optional<std::int64_t> tail_lines;
};
struct kill_verb {
    std::vector<std::string> jobs;
};
struct input_verb {
    std::string job;
    std::string text; // as given: text, "-" or "@FILE"; empty: none
    bool eof = false;
    bool no_newline = false;
};
struct sessions_verb {
    std::int64_t limit = 0;
};
struct transcript_verb {
    std::string session;
    std::int64_t limit = 0;
};
struct rm_verb {
    std::vector<std::string> sessions;
};
struct export_verb {
    std::string session;
};
struct import_verb {
    std::string file; // "-" stdin; its content once run() has read it
    std::optional<std::string> workdir;
    bool fresh = false;
};
struct events_verb {
    bool follow = false;
    std::optional<std::string> after; // a seq or "now"
    std::optional<std::string> task;
    std::optional<std::string> session;
    std::vector<std::string> types;
    std::int64_t limit = 0;
};
struct info_verb {};
struct health_verb {};
struct doctor_verb {
    std::optional<std::string> state_dir, config; // for agentd's checks
    std::optional<std::string> agentd;            // the program; absent: looked for
};

using verb =
    std::variant<submit_verb, run_verb, ls_verb, show_verb, follow_verb, wait_verb, cancel_verb,
        send_verb, jobs_verb, output_verb, kill_verb, input_verb, sessions_verb, transcript_verb,
        rm_verb, export_verb, import_verb, events_verb, info_verb, health_verb, doctor_verb>;

struct invocation {
    std::optional<std::string> socket;
    bool json = false;
    verb what;
};

// Help, the version, or what is wrong with the arguments.
struct early_end {
    int exit_code = 0; // 0: `text` is for stdout, else for stderr
    std::string text;
};

[[nodiscard]] std::expected<invocation, early_end> parse_arguments(
    int argc, const char* const* argv);

} // namespace agentd::ctl
