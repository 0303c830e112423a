// Commands that a tool call waits for. They go the way of jobs (launcher, tree, leftovers),
// but their output is captured in memory, its beginning and its end.
// One object a session; on the session's strand, any number of calls at once.
#pragma once

#include "aio/awaitable.hpp"
#include "base/ids.hpp"
#include "jobs/command.hpp"

#include <string_view>

namespace agentd::jobs {

class environment;

class foreground {
public:
    foreground(aio::executor strand, environment& shared, base::session_id session);

    // Waits for a place among limits::foreground_commands of the daemon (fair between
    // sessions), runs it and goes on when its tree is gone: what the shell left running has
    // been stopped (outcome::leftovers), a timeout is ended::timeout, a command that cannot be
    // started ended::error. Cancelling stops the tree (TERM, grace, KILL); it then throws
    // operation_aborted, but only when the tree is gone, too.
    aio::awaitable<outcome> run(command what);

    // environment::has_controller(): whether bounds that need it would be kept.
    [[nodiscard]] bool has_controller(std::string_view name) const;

private:
    aio::executor strand_;
    environment& shared_;
    base::session_id session_;
};

} // namespace agentd::jobs
