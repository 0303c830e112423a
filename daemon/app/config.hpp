// The configuration (DESIGN §8): every key with its default. The bounds of each key and its
// name stand in config_keys.cpp, once for reading and for showing. Pure data; any thread.
#pragma once

#include "app/environment.hpp"
#include "app/errc.hpp"
#include "base/limits.hpp"
#include "base/stdin_limits.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentd::app {

// Dollars per million tokens.
struct price {
    double input = 0;
    double output = 0;
    double cache_read = 0;
    double cache_write = 0;
};

// What commands are refused without a word in the configuration: tools::policy's list.
[[nodiscard]] std::vector<std::string> default_deny();

// What the environment says of proxies; for the two keys where the file does not speak.
struct proxy_environment {
    std::string https, http, all; // may hold passwords
    std::string none;             // hosts, between commas
};

struct config {
    std::int64_t threads = 1;
    bool shared = false;
    std::chrono::milliseconds wake_window = limits::wake_window;

    struct {
        std::string name = "claude-opus-5-5";
        std::string base_url = "https://api.anthropic.com";
        std::string ca_file;
        std::string proxy;                 // may hold a password; "": the environment's
        std::vector<std::string> no_proxy; // empty: the environment's
        std::string api_key_file;
        std::int64_t max_tokens = 16'000;
        std::string version = "2023-06-01";
        std::chrono::seconds connect_timeout = limits::connect_deadline;
        std::chrono::seconds tls_timeout = limits::handshake_deadline;
        std::chrono::seconds send_timeout = limits::send_deadline;
        std::chrono::seconds first_byte_timeout = limits::first_byte_deadline;
        std::chrono::seconds idle_timeout = limits::stream_idle_deadline;
        std::chrono::seconds total_timeout{0}; // 0: none
        std::chrono::seconds keep_connections = limits::connection_idle;
        std::chrono::seconds retry_for = limits::retry_for;
        std::int64_t retry_attempts = -1; // -1: as many as the time allows
        std::vector<std::string> fallback;
        std::map<std::string, app::price> price;
        std::int64_t context_window = 0; // 0: what is known of the model
        double compact_at = 0.85;        // share of it; 0: never
    } model;
    struct {
        std::int64_t running_tasks = limits::running_tasks;
        std::int64_t queued_tasks = limits::queued_tasks;
        std::int64_t sessions = limits::sessions;
        std::int64_t connections = limits::api_connections;
        double session_budget_usd = 0; // 0: none
        std::int64_t session_tokens = 0;
    } limits;
    struct {
        std::int64_t per_session = limits::jobs_per_session;
        std::int64_t per_daemon = limits::jobs_per_daemon;
        std::chrono::seconds timeout = limits::job_timeout;
        std::chrono::seconds grace = limits::job_grace;
        std::chrono::seconds stall = limits::job_stall; // 0: not looked for
        std::string leftovers = "kill";                 // or keep
        std::string cgroup = "auto";                    // or off, or a folder
        std::chrono::seconds cpu{0}; // of one command, like the two below; 0: no bound
        std::int64_t memory_bytes = 0;
        std::int64_t processes = 0;
        std::int64_t max_output_bytes = 0;   // all that it writes, kept or not
        std::int64_t file_bytes = 0;         // of each file that it writes
        std::chrono::seconds session_cpu{0}; // of all commands of a session together, like these
        std::chrono::seconds session_wall{0};
        std::int64_t session_output_bytes = 0;
        std::int64_t session_log_bytes = 0; // of its jobs, in the spool's folder
        std::int64_t session_memory_bytes = 0;
        std::int64_t session_processes = 0;
        std::vector<std::string> pass_env;
        std::int64_t output_bytes = limits::job_output_bytes;
        std::int64_t spool_bytes = limits::spool_bytes;
    } jobs;
    struct {
        std::vector<std::string> deny = default_deny();
    } policy;
    struct {
        std::vector<std::string> roots;
    } workspace;
    struct {
        std::int64_t events_days = 30;
        std::int64_t events_count = 10'000'000;
        std::int64_t job_logs_bytes = std::int64_t{4} << 30;
    } retention;
    struct {
        std::string level = "info"; // error, warning, info, debug
        std::string file;
        std::string format = "auto"; // json, journal
    } log;
    proxy_environment proxies; // no keys
};

// A file's text as a configuration. errc::bad_config with a line for each mistake:
// `agentd.toml:12: key "limits.running_tasks": must be between 1 and 100000`.
[[nodiscard]] base::result<config> parse_config(std::string_view text, const std::string& file);

// Reads `file`; an empty name gives the defaults.
[[nodiscard]] base::result<config> load_config(const std::string& file);

// The variables that apply_environment reads.
inline constexpr std::array<const char*, 10> overriding_variables{"ANTHROPIC_BASE_URL", "MODEL_ID",
    "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy",
    "NO_PROXY"};
// ANTHROPIC_BASE_URL and MODEL_ID go before the file, the proxies' variables behind it.
// errc::bad_config.
[[nodiscard]] base::result<> apply_environment(config& to, const environment& env);

// What no key alone shows: shared with uid 0, or without a root. errc::bad_config.
[[nodiscard]] base::result<> check_together(const config& all, std::uint32_t uid);

// Every key with its value as in a file, in the file's order. There are no secrets in it.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> describe(const config& all);

} // namespace agentd::app
