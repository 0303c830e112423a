#include "ctl/event_stream.hpp"

#include "base/limits.hpp"

#include <fmt/format.h>

namespace agentd::ctl {

event_stream::event_stream(client& daemon, event_query which)
    : daemon_(&daemon), which_(std::move(which))
{}

http_request event_stream::request() const
{
    query q;
    if (cursor_)
        q.add("after", fmt::format("{}", *cursor_));
    else if (which_.after)
        q.add("after", *which_.after);
    if (which_.task)
        q.add("task_id", *which_.task);
    if (which_.session)
        q.add("session_id", *which_.session);
    std::string types;
    for (const auto& type : which_.types)
        types += (types.empty() ? "" : ",") + type;
    if (!types.empty())
        q.add("types", types);
    if (which_.follow)
        q.add("follow", "1");
    else if (which_.limit != 0)
        q.add("limit", fmt::format("{}", std::min(which_.limit - shown_, limits::list_items)));
    else
        q.add("limit", fmt::format("{}", limits::list_items));
    http_request out;
    out.target = "/v1/events" + q.text();
    return out;
}

aio::awaitable<base::result<>> event_stream::reopen()
{
    auto ask = request();
    auto opened = co_await daemon_->open(std::move(ask));
    if (!opened)
        co_return std::unexpected(std::move(opened).error());
    open_.emplace(std::move(*opened));
    unread_.clear();
    in_this_stream_ = 0;
    co_return base::result<>{};
}

aio::awaitable<base::result<std::optional<std::string>>> event_stream::next_line()
{
    for (;;) {
        if (const auto end = unread_.find('\n'); end != std::string::npos) {
            std::string line = unread_.substr(0, end);
            unread_.erase(0, end + 1);
            co_return std::optional{std::move(line)};
        }
        auto piece = co_await open_->connection->read_some(limits::client_stream_silence);
        if (!piece)
            co_return std::unexpected(std::move(piece).error());
        if (piece->empty())
            co_return std::optional<std::string>{};
        unread_ += *piece;
        if (unread_.size() > limits::client_reply_bytes)
            co_return std::unexpected(
                base::error{errc::daemon_error, "an event of the daemon is too large to hold"});
    }
}

bool event_stream::take_note(const proto::json::value& event)
{
    if (const auto* seq = event.find("seq"); seq != nullptr && seq->as_integer())
        cursor_ = static_cast<std::uint64_t>(*seq->as_integer());
    if (const auto* resume = event.find("resume_after"); resume != nullptr && resume->as_integer())
        cursor_ = static_cast<std::uint64_t>(*resume->as_integer());
    barren_ = 0;
    const auto* type = event.find_string("type");
    if (type == nullptr || *type == "heartbeat")
        return false;
    if (*type == "lagged") { // the stream ends here; go on from the cursor it gave
        open_.reset();
        return false;
    }
    return true;
}

aio::awaitable<base::result<std::optional<event_line>>> event_stream::next()
{
    for (;;) {
        if (which_.limit != 0 && shown_ >= which_.limit)
            co_return std::optional<event_line>{};
        if (!open_) {
            auto opened = co_await reopen();
            if (!opened)
                co_return std::unexpected(std::move(opened).error());
        }
        auto line = co_await next_line();
        if (!line && !line.error().is(errc::lost))
            co_return std::unexpected(std::move(line).error());
        if (!line || !*line) {
            const bool clean = line.has_value();
            open_.reset();
            // Of a task's stream the caller knows whether it was the end.
            if (clean && (which_.follow ? which_.task.has_value() : in_this_stream_ == 0))
                co_return std::optional<event_line>{};
            if (++barren_ > limits::client_barren_streams)
                co_return std::unexpected(
                    base::error{errc::unreachable, "the daemon ends its streams at once"});
            if (which_.follow) // a daemon that stops ends its streams: let it come back
                co_await aio::sleep_for(limits::client_reconnect_pause);
            continue;
        }
        auto value = proto::json::parse(**line);
        if (!value)
            co_return std::unexpected(
                base::error{errc::daemon_error, "an event of the daemon is no JSON"});
        if (!take_note(value->root()))
            continue;
        ++shown_;
        ++in_this_stream_;
        co_return std::optional<event_line>{std::in_place, std::move(**line), std::move(*value)};
    }
}

} // namespace agentd::ctl
