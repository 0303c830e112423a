// Committing a step of a session's own: it has to happen, so a failing disk is waited for.
// (What a client asked for is refused instead: service.cpp.)
#pragma once

#include "aio/awaitable.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "session/environment.hpp"
#include "store/store.hpp"

#include <stdexcept>
#include <utility>

namespace agentd::session {

// A step that the database refuses for what it is, not for the state of the disk: a bug. It is
// undone; whoever owns the task ends it. Thrown by commit() and commit_read().
class broken_step : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// What each step was promised to survive (DESIGN §9).
[[nodiscard]] store::durability durability_of(store::step name);
// A closed store is the end of the daemon: throws operation_aborted. A step that was refused
// for the `tries`th time, limits::broken_step_tries of them being enough, throws broken_step.
void throw_if_hopeless(const base::error& why, std::string_view what, int& tries);

// Logs that it is tried again; quietly where the store has said so for all.
void tell_retry(environment& shared, std::string_view what, const base::error& why);

// The value of `work`, once it is committed. While the store fails it is tried again, with
// pauses; only a store that is shutting down ends this, by throwing operation_aborted, or a
// step that breaks a rule of the database, by throwing broken_step.
// `work` may run several times and must not change what it captured.
template <class Work>
aio::awaitable<typename store::work_result<Work>::value_type> commit(
    environment& shared, store::step name, Work work)
{
    for (int tries = 0;;) {
        auto done = co_await shared.db.write(name, durability_of(name), work);
        if (done)
            co_return *std::move(done);
        throw_if_hopeless(done.error(), to_string(name), tries);
        tell_retry(shared, to_string(name), done.error());
        co_await aio::sleep_for(limits::store_retry);
    }
}

// The value of a reading `work`; waits for a failing store as commit() does.
template <class Work>
aio::awaitable<typename store::work_result<Work>::value_type> commit_read(
    environment& shared, Work work)
{
    for (int tries = 0;;) {
        auto found = co_await shared.db.read(work);
        if (found)
            co_return *std::move(found);
        throw_if_hopeless(found.error(), "read", tries);
        tell_retry(shared, "read", found.error());
        co_await aio::sleep_for(limits::store_retry);
    }
}

} // namespace agentd::session
