// The shell of a command, by its Process v2 handle. Its exit is seen on the pidfd and looked at
// without reaping, so that its number stays its own while the tree is dealt with; it is reaped
// last. (The handle's own async_wait would reap at the exit.)
// On the strand of the command.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "jobs/children.hpp"
#include "jobs/launcher.hpp"

#include <memory>
#include <optional>

namespace agentd::jobs {

struct exit_status {
    std::optional<int> code;
    std::optional<int> signal;
    usage used;    // of the shell and of the children it has waited for
    int error = 0; // errno when the kernel does not tell how
};

class leader {
public:
    // Takes over a launched process. When it cannot be watched (epoll refuses) it is killed,
    // reaped and an error.
    static base::result<std::unique_ptr<leader>> attach(
        const aio::executor& strand, children& all, launched process);
    ~leader(); // reap()ed or abandon()ed

    [[nodiscard]] launched_id id() const { return id_; }
    // See launched.
    [[nodiscard]] std::int64_t inherited_peak() const { return inherited_peak_; }
    // Goes on when it has exited, or throws operation_aborted.
    aio::awaitable<> exited();
    // How it ended, while it is still unreaped; nullopt: it runs.
    [[nodiscard]] std::optional<exit_status> look() const;
    // Reaps it after it has exited; gives what the orphans of its tree have used.
    usage reap();
    // Leaves it to the sweep of orphans: not even KILL has ended it.
    void abandon();

private:
    struct handles;
    leader(children& all, const launched& from, std::unique_ptr<handles> open);

    children& all_;
    launched_id id_;
    std::int64_t inherited_peak_;
    std::unique_ptr<handles> handles_;
};

} // namespace agentd::jobs
