// Committing a step of a session's own: it has to happen, so a failing disk is waited for.
// (What a client asked for is refused instead: service.cpp.)
#pragma once

#include "aio/awaitable.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "session/environment.hpp"
#include "store/store.hpp"

#include <utility>

namespace agentd::session {

// What each step was promised to survive (DESIGN §9).
[[nodiscard]] store::durability durability_of(store::step name);
// A closed store is the end of the daemon: throws operation_aborted.
void throw_if_closed(const base::error& why);

// The value of `work`, once it is committed. While the store fails it is tried again, with
// pauses; only a store that is shutting down ends this, by throwing operation_aborted.
// `work` may run several times and must not change what it captured.
template <class Work>
aio::awaitable<typename store::work_result<Work>::value_type> commit(
    environment& shared, store::step name, Work work)
{
    for (;;) {
        auto done = co_await shared.db.write(name, durability_of(name), work);
        if (done)
            co_return *std::move(done);
        throw_if_closed(done.error());
        log::warning("store.retry", {}, "cannot {}: {}", to_string(name), done.error().text);
        co_await aio::sleep_for(limits::store_retry);
    }
}

// The value of a reading `work`; waits for a failing store as commit() does.
template <class Work>
aio::awaitable<typename store::work_result<Work>::value_type> commit_read(
    environment& shared, Work work)
{
    for (;;) {
        auto found = co_await shared.db.read(work);
        if (found)
            co_return *std::move(found);
        throw_if_closed(found.error());
        log::warning("store.retry", {}, "cannot read: {}", found.error().text);
        co_await aio::sleep_for(limits::store_retry);
    }
}

} // namespace agentd::session
