// Tasks that were being worked on each time the daemon ended without order, once less than
// makes a crash loop. Whether it is their fault is found out by an experiment: the daemon works
// on the others for a while (limits::suspect_pause); what kills it then is somebody else. Then
// they are tried one after the other, each until a turn of it is whole, it waits or has ended:
// what kills the daemon meanwhile is, by all that can be told from outside, the one that is
// being tried. Their sessions are held back until then; a cancel releases its own.
// On a strand of its own.
#pragma once

#include "aio/task_group.hpp"
#include "base/limits.hpp"
#include "session/steps.hpp"

#include <chrono>
#include <functional>
#include <vector>

namespace agentd::session {

class suspects {
public:
    // What it asks of others; any thread.
    struct means {
        std::function<void(const base::session_id&)> hold_back;
        std::function<void(const base::session_id&)> release;
        // Whether the task has cleared itself: see above.
        std::function<aio::awaitable<bool>(base::task_id)> is_cleared;
    };
    struct patience {
        std::chrono::milliseconds before = limits::suspect_pause;
        std::chrono::milliseconds trial = limits::suspect_trial; // then the next one as well
    };
    suspects(const aio::executor& io, means how, patience times);

    // Before any other signal to their sessions. Any thread.
    void try_later(std::vector<steps::suspect> all);
    // What was not tried yet waits for the next start.
    aio::awaitable<> stop();

private:
    aio::awaitable<> try_all(std::vector<steps::suspect> all);
    aio::awaitable<> await_step(base::task_id id);
    aio::awaitable<> end();

    means how_;
    patience times_;
    aio::executor strand_;
    aio::task trying_; // last: it uses the others
};

} // namespace agentd::session
