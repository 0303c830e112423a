// A whole agentd for a test: a scratch folder, the scripted model over TLS, the daemon with
// its own configuration, and a client. Everything ends with this object.
#pragma once

#include "tests/support/harness/http.hpp"
#include "tests/support/harness/process.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

// The secret that must show up nowhere.
inline constexpr std::string_view canary = "sk-canary-7f3a91c4e2d85b60";

struct world_options {
    std::string scenario = R"({"conversations":[]})"; // JSON, see scripted_model/README.md
    std::string config;                               // TOML behind the harness's own keys
    std::string model_config;                         // TOML behind the harness's own of [model]
    std::map<std::string, std::string> env;           // of the daemon, besides PATH and HOME
    std::vector<std::string> launcher;                // before the daemon's path: setpriv ...
    // A model of the test's own instead of the scripted one, and who it is trusted through.
    std::string model_url, ca_file;
    bool start = true;
};

class world {
public:
    explicit world(world_options how);
    ~world();

    // The program and its environment at the next start; an empty path: agentd itself.
    void change_daemon(const std::string& path, std::map<std::string, std::string> env);
    // Starts the daemon; false: it has ended before READY=1.
    [[nodiscard]] bool try_start_daemon();
    // Starts the daemon and waits for READY=1 / stops it with `signal` and gives its exit code.
    void start_daemon();
    int stop_daemon(int signal);
    // Starts it and does not wait until it is ready / ends it with SIGKILL.
    void launch_daemon();
    void kill_daemon();
    [[nodiscard]] process& daemon() { return *daemon_; }
    [[nodiscard]] const std::string& folder() const { return scratch_.path(); }
    [[nodiscard]] std::string socket() const { return scratch_ / "s"; }
    [[nodiscard]] std::string state_folder() const { return scratch_ / "state"; }
    [[nodiscard]] std::string workspace() const { return scratch_ / "work"; }
    [[nodiscard]] std::string log() const { return read_file(scratch_ / "agentd.log"); }

    // A new connection to the daemon / one call over the world's own.
    [[nodiscard]] http_client connect() const { return http_client{socket()}; }
    http_reply call(std::string_view method, std::string_view target, std::string_view body = {},
        const headers& with = {});
    // The same with JSON both ways; the status must be `status`.
    boost::json::value json(int status, std::string_view method, std::string_view target,
        const boost::json::value& body);
    boost::json::value json(int status, std::string_view method, std::string_view target);

    // Submits with the world's workspace (unless `more` has a session); the task's id.
    std::string submit(std::string_view prompt, boost::json::object more = {});
    // The task when it has ended; fails the test when it does not.
    boost::json::object ended(const std::string& task);
    // The task as it is.
    boost::json::object task(const std::string& id);
    // All stored events from `after` on that match the query part ("&task_id=...").
    std::vector<boost::json::object> events(const std::string& query = {});
    // Follows the events from the beginning until one of this type comes (of that task).
    boost::json::object await_event(const std::string& type, const std::string& task = {});

    // agentctl with these arguments: its exit code and what it printed on stdout.
    struct ctl_result {
        int code = -1;
        std::string out;
        std::string err;
    };
    ctl_result ctl(std::vector<std::string> arguments);
    [[nodiscard]] std::unique_ptr<process> start_ctl(std::vector<std::string> arguments);

    // --- the scripted model
    // Goes on when that holds ("requests=3", "held=NAME"); fails the test when it never does.
    void await_model(const std::string& what);
    void release(const std::string& hold);
    // The recorded requests of a conversation (its key, id or a part of its prompt), in order.
    boost::json::array requests(const std::string& conversation = {});
    // Fails the test if any request broke a rule or did not meet its expectation.
    void check_model_content();
    // What is wrong with them, one text for each.
    std::vector<std::string> model_faults();
    [[nodiscard]] const std::string& model_url() const { return model_url_; }

private:
    void start_model(const std::string& scenario);
    boost::json::value control(std::string_view method, const std::string& target);

    world_options how_;
    std::string daemon_path_;
    scratch_folder scratch_;
    std::unique_ptr<process> model_;
    std::string model_url_, ca_file_;
    std::unique_ptr<process> daemon_;
    std::unique_ptr<http_client> client_;
};

// How many threads the daemon runs with (AGENTD_TEST_THREADS, default 1).
[[nodiscard]] int daemon_threads();

// The texts of a recorded request's last user message, those in tool results included.
[[nodiscard]] std::string last_user_text(const boost::json::value& request);

// A scenario step's reply: blocks of text and tool calls.
[[nodiscard]] std::string text_reply(std::string_view text);

} // namespace agentd::testing
