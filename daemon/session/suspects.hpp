// Tasks that were being worked on each time the daemon ended without order, once less than
// makes a crash loop. Whether it is their fault is found out by an experiment: the daemon works
// on the others for a while (suspect_pause); what kills it then is somebody else. Then
// they are tried one after the other, each until a step of it is committed: what kills the
// daemon meanwhile is, by all that can be told from outside, the one that is being tried.
// Their sessions are held back until then; a cancel releases its own.
// On a strand of its own.
#pragma once

#include "aio/task_group.hpp"
#include "session/environment.hpp"
#include "session/registry.hpp"
#include "session/steps.hpp"

#include <chrono>
#include <cstddef>
#include <vector>

namespace agentd::session {

inline constexpr std::chrono::milliseconds suspect_pause{1000};
inline constexpr std::size_t suspects_apart = 30; // tried one by one; the rest with the last

class suspects {
public:
    suspects(environment& shared, registry& sessions);

    // Before any other signal to their sessions. Any thread.
    void try_later(std::vector<steps::suspect> all);
    // What was not tried yet waits for the next start.
    aio::awaitable<> stop();

private:
    aio::awaitable<> try_all(std::vector<steps::suspect> all);
    aio::awaitable<> await_step(base::task_id id);
    aio::awaitable<> end();

    environment& shared_;
    registry& sessions_;
    aio::executor strand_;
    aio::task trying_; // last: it uses the others
};

} // namespace agentd::session
