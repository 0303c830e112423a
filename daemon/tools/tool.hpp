// What a tool is: a name, a schema for the model, and a coroutine that answers one call.
// A tool never ends the loop: whatever goes wrong is its answer.
#pragma once

#include "aio/awaitable.hpp"
#include "base/limits.hpp"
#include "tools/job_control.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::jobs {
class foreground; // runs a command beside the jobs and captures its output
}
namespace agentd::aio {
class blocking_pool;
}

namespace agentd::tools {

class workspace;
class policy;

// One tool_use of a reply. `input` is a JSON object's bytes.
struct call {
    std::string id;
    std::string name;
    std::string input;
};

// The answer: text for the model (valid UTF-8, never empty); `is_error` only for what agentd
// itself reports, and the text then begins with "Error:".
struct answer {
    answer() = default;
    answer(std::string t, bool e) : text(std::move(t)), is_error(e) {}
    std::string text;
    bool is_error = false;
};

[[nodiscard]] answer ok(std::string text);
[[nodiscard]] answer failed(std::string_view reason); // "Error: REASON"

// What a call may use. Owned by the session, which outlives the call; on its strand.
struct context {
    const workspace& files;
    const policy& allowed;
    jobs::foreground& commands;
    job_control& jobs;
    aio::blocking_pool& blocking;
    std::vector<std::string> env; // NAME=VALUE of commands, allow-listed already
    std::chrono::seconds job_timeout = limits::job_timeout; // of a job whose call names none
};

class tool {
public:
    virtual ~tool() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;
    // The definition sent to the model: {"name":...,"description":...,"input_schema":...}.
    [[nodiscard]] virtual std::string_view definition() const = 0;
    // True for what changes files: it starts after all earlier calls of the reply have ended,
    // and later ones start after it.
    [[nodiscard]] virtual bool is_barrier() const { return false; }
    // True for what gives a file's text: it stays as it is, while in other answers what could
    // pass for a <background-results> element is made harmless.
    [[nodiscard]] virtual bool is_exact() const { return false; }
    // Answers one call; on the caller's strand. Throws operation_aborted alone, when cancelled.
    [[nodiscard]] virtual aio::awaitable<answer> run(call what, context& with) const = 0;
};

// All tools, in the order in which the model sees them. Immutable after construction.
class registry {
public:
    registry();
    ~registry();
    // nullptr: there is none of that name.
    [[nodiscard]] const tool* find(std::string_view name) const;
    // The `tools` array of a request, encoded once.
    [[nodiscard]] const std::string& definitions() const { return definitions_; }
    // Answers one call: an unknown tool and bad input are answers, too.
    [[nodiscard]] aio::awaitable<answer> run(call what, context& with) const;

private:
    std::vector<std::unique_ptr<tool>> tools_;
    std::string definitions_;
};

} // namespace agentd::tools
