// One reader of the event stream: first what is stored, at the reader's pace, then what
// happens, without gap or double. On the connection's strand only.
//
// Live items are subscribed to before the last stretch of history is read, so that whatever
// is committed is in one of the two; what is in both is told apart by its seq.
#pragma once

#include "api/event_lines.hpp"
#include "api/response.hpp"
#include "base/clock.hpp"
#include "session/event_hub.hpp"
#include "session/service.hpp"

#include <deque>
#include <limits>
#include <optional>

namespace agentd::api {

struct feed_request {
    session::caller who;
    store::events::filter which;
    base::event_seq after = 0; // the first event told is a later one
    std::size_t limit = std::numeric_limits<std::size_t>::max();
    bool follow = false;
    event_format format = event_format::ndjson;
    std::chrono::milliseconds heartbeat{};
};

class event_feed {
public:
    // All outlive the feed.
    event_feed(
        session::event_hub& hub, session::service& service, body_stream& out, feed_request what);

    // Until the end of what was asked for. Errors: closed, stalled, those of the hub.
    aio::awaitable<base::result<>> run();

private:
    aio::awaitable<base::result<>> catch_up();
    aio::awaitable<base::result<>> follow();
    aio::awaitable<base::result<>> live(session::subscription& news);
    aio::awaitable<base::result<bool>> task_has_ended();
    // A look into the store before a heartbeat, so that `resume_after` is right for a filter
    // that nothing passes for long.
    aio::awaitable<base::result<>> beat();
    aio::awaitable<base::result<>> flush();

    void take_page(const session::history_page& page);
    void take_live(const std::deque<session::live_item>& items);
    void tell(base::event_seq seq, const proto::api::event& what, std::string_view json);

    session::event_hub* hub_;
    session::service* service_;
    body_stream* out_;
    feed_request what_;
    bool hides_end_ = false;   // task.finished is only read to know when to stop
    base::event_seq position_; // everything up to here has been told or does not match
    std::string unsent_;
    bool done_ = false;
    base::mono_time next_beat_;
};

} // namespace agentd::api
