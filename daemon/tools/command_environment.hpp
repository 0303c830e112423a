// The environment that commands get: an allow-list of the daemon's own, the ids, what the
// configuration passes on and what the task sets. Never the daemon's socket, a credential or
// anything of the model's. Immutable; any thread.
#pragma once

#include "base/ids.hpp"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::tools {

// What the password database says of the daemon's user.
struct user_record {
    std::string name;
    std::string home;
    std::string shell;
};

// The effective user's; without an entry the uid's number and "/". Blocks (name services);
// at start.
[[nodiscard]] user_record current_user();

class command_environment {
public:
    // `own`: NAME=VALUE, the daemon's environment. `pass`: names that are passed on besides the
    // fixed ones (`jobs.pass_env`), "NAME*" for all that begin so.
    command_environment(std::span<const std::string> own, const user_record& user,
        std::span<const std::string> pass);

    // NAME=VALUE, sorted: of commands of one task. A job's id is added where the job is made.
    [[nodiscard]] std::vector<std::string> of(const base::session_id& session,
        const base::task_id& task, const std::map<std::string, std::string>& task_env) const;

    // False for what commands never see, whoever names it: AGENTD_*, ANTHROPIC_*, and what a
    // service manager tells the daemon (sockets, credentials, the watchdog).
    [[nodiscard]] static bool may_pass(std::string_view name);

private:
    std::map<std::string, std::string> base_;
};

// The process's environment as command_environment wants it.
[[nodiscard]] std::vector<std::string> own_environment();

} // namespace agentd::tools
