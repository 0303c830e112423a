// Where followers of the history stand: every committed event, and the live text of running
// requests (model.delta, without seq), is handed to each subscriber that wants it. History
// before the subscription is read from the store. A subscriber that does not keep up is told
// so and left behind; nobody waits for it.
// publish() from any thread; a subscription lives on its reader's strand.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "proto/api/types.hpp"
#include "store/events.hpp"

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace agentd::session {

// Live text of a running request (DESIGN §10).
struct delta {
    base::session_id session_id;
    base::task_id task_id;
    std::uint32_t owner_uid = 0; // whose session it is
    std::int64_t turn = 0;
    std::int64_t attempt = 1;
    std::size_t block = 0;
    std::string text;
};

// One thing to tell a follower, rendered once for all: a JSON object without a line end.
struct live_item {
    base::event_seq seq = 0; // 0: a delta
    proto::api::event event; // of a delta: type, ids
    std::shared_ptr<const std::string> json;
};

class subscription {
public:
    virtual ~subscription() = default; // ends it
    // What came since, in order; waits for at least one item, at most `limit` (then empty).
    virtual aio::awaitable<std::deque<live_item>> next(std::chrono::milliseconds limit) = 0;
    // True once more than limits::live_events_bytes were unread: nothing comes any more, and
    // the reader goes on from the last seq it got.
    [[nodiscard]] virtual bool lagged() const = 0;
};

// A piece of the stored history, read in one go.
struct history_page {
    std::vector<proto::api::event> items; // oldest first
    // Everything up to here has been looked at; a page may be short, or empty, before `newest`.
    base::event_seq reached = 0;
    base::event_seq oldest = 0; // of all that is kept; 0: nothing is
    base::event_seq newest = 0; // ever given out and committed before the read
};

class event_hub {
public:
    virtual ~event_hub() = default;
    // What is stored beyond `after` and matches `which`, at most `limit` events: everything
    // that was committed before the call is seen (store::events::page through the reader).
    virtual aio::awaitable<base::result<history_page>> history(
        store::events::filter which, base::event_seq after, std::size_t limit) = 0;
    // Everything committed after this call, that `which` matches; deltas only when it names a
    // task or a session. `strand` is the reader's.
    virtual aio::awaitable<std::unique_ptr<subscription>> subscribe(
        aio::executor strand, store::events::filter which) = 0;
    virtual void publish(delta what) = 0;
};

} // namespace agentd::session
