// The daemon's events as agentctl follows them: read line by line, taken up again at the
// cursor after a broken connection, a restart of the daemon or having been cut off as too
// slow, so that none is missed or seen twice. One strand.
#pragma once

#include "ctl/client.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentd::ctl {

struct event_query {
    std::optional<std::string> after; // a seq or "now"
    std::optional<std::string> task;
    std::optional<std::string> session;
    std::vector<std::string> types;
    std::size_t limit = 0; // 0: no limit
    bool follow = false;
};

struct event_line {
    std::string raw; // as the daemon wrote it, without line end
    proto::json::document value;
};

class event_stream {
public:
    // `daemon` outlives the stream.
    event_stream(client& daemon, event_query which);

    // The next event; nullopt when there are no more. With `follow` only a task's stream ends
    // (after task.finished, or because the daemon stops: ask for the task's state; calling
    // again goes on). Heartbeats are not shown. Errors: those of client.
    aio::awaitable<base::result<std::optional<event_line>>> next();

private:
    // A whole line from the stream; nullopt at its end.
    aio::awaitable<base::result<std::optional<std::string>>> next_line();
    aio::awaitable<base::result<>> reopen();
    [[nodiscard]] http_request request() const;
    // Notes what a line means for the cursor; false: not to be shown.
    bool take_note(const proto::json::value& event);

    client* daemon_;
    event_query which_;
    std::optional<stream> open_;
    std::string unread_;
    std::optional<std::uint64_t> cursor_;
    std::size_t shown_ = 0;
    std::size_t in_this_stream_ = 0;
    std::size_t barren_ = 0; // streams in a row that ended without a line
};

} // namespace agentd::ctl
