// See connection.hpp.
#include "connection.hpp"

#include "reply_writer.hpp"
#include "request_reader.hpp"

#include <functional>
#include <optional>
#include <utility>

namespace agentd::testing {

namespace {

// Counts a connection or a stream for as long as it lives.
class counted {
public:
    counted(std::atomic<std::int64_t>& now, std::atomic<std::int64_t>& most) : now_{now}
    {
        server_counts::enter(now, most);
    }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() { now_.fetch_sub(1); }

private:
    std::atomic<std::int64_t>& now_;
};

// Streams are counted while they are written.
asio::awaitable<reply_end> write_verdict(
    byte_stream& to, const verdict& given, connection_parts& parts)
{
    std::optional<counted> stream;
    if (given.wire.is_stream)
        stream.emplace(parts.counts.streams, parts.counts.most_streams);
    const std::function<void()> completing = [&parts, &given] {
        parts.decisions.completing(given);
    };
    auto end = co_await write_reply(to, given.wire, parts.gates, completing);
    co_return end;
}

// Each answers one request. False: the connection is over.
asio::awaitable<bool> answer_api(byte_stream& to, const incoming& came, connection_parts& parts)
{
    bool too_large = came.is == incoming::kind::too_large;
    auto given =
        too_large ? parts.decisions.too_large(came.request) : parts.decisions.decide(came.request);
    auto end = co_await write_verdict(to, given, parts);
    parts.decisions.replied(given, end);
    if (too_large && end == reply_end::whole)
        co_await to.linger();
    co_return end == reply_end::whole && !given.wire.closes;
}

// Control calls and what is no HTTP: replies that belong to no conversation.
asio::awaitable<bool> write_plain(byte_stream& to, const wire_plan& plan, connection_parts& parts)
{
    const std::function<void()> nothing = [] {};
    auto end = co_await write_reply(to, plan, parts.gates, nothing);
    co_return end == reply_end::whole;
}

asio::awaitable<bool> answer(byte_stream& to, const incoming& came, connection_parts& parts)
{
    if (came.is == incoming::kind::malformed) {
        auto plan = plan_error(refusal(400, "no valid HTTP request"), "");
        co_await write_plain(to, plan, parts);
        co_return false;
    }
    if (control::owns(came.request.path)) {
        auto plan = co_await parts.steering.answer(to, came.request);
        auto again = co_await write_plain(to, plan, parts);
        co_return again;
    }
    auto again = co_await answer_api(to, came, parts);
    co_return again;
}

asio::awaitable<void> serve_requests(
    byte_stream& stream, connection_parts& parts, std::uint64_t number)
{
    request_reader reader{stream, parts.most_body, parts.idle_close};
    for (;;) {
        auto came = co_await reader.next();
        if (came.is == incoming::kind::closed)
            co_return;
        came.request.connection = number;
        came.request.sni = stream.sni();
        auto again = co_await answer(stream, came, parts);
        if (!again || !came.request.keep_alive)
            co_return;
    }
}

} // namespace

asio::awaitable<void> serve_connection(std::unique_ptr<byte_stream> stream, connection_parts parts)
{
    counted open{parts.counts.open, parts.counts.most_open};
    auto number = parts.counts.connections.fetch_add(1) + 1;
    auto ready = co_await stream->handshake();
    if (!ready)
        co_return;
    co_await serve_requests(*stream, parts, number);
    if (stream->socket().is_open())
        co_await stream->close();
}

} // namespace agentd::testing
