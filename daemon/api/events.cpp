// The stream of events (DESIGN §6, §10); see handlers.hpp.
#include "api/event_feed.hpp"
#include "api/form.hpp"
#include "api/handlers.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>

namespace agentd::api {
namespace {

constexpr std::uint64_t any_number = std::numeric_limits<std::int64_t>::max();

// Where the client wants to go on.
struct cursor {
    bool given = false;
    bool now = false;
    base::event_seq after = 0;
};

cursor cursor_in(parameters& in, const request& asked)
{
    cursor where;
    const std::string after = in.text("after");
    where.given = in.has("after");
    where.now = after == "now";
    if (where.given && !where.now)
        where.after = in.number("after", 0, 0, any_number);
    // An EventSource that comes back asks the same again and says here what it has seen.
    if (const std::string* seen = asked.field("last-event-id")) {
        const char* end = seen->data() + seen->size();
        const auto [stop, fault] = std::from_chars(seen->data(), end, where.after);
        if (fault != std::errc{} || stop != end || where.after > any_number)
            in.complain("Last-Event-ID", "must be the seq of an event");
        where.given = true;
        where.now = false;
    }
    return where;
}

bool wants_sse(const request& asked)
{
    const std::string* accept = asked.field("accept");
    return accept != nullptr && accept->find("text/event-stream") != std::string::npos;
}

// The seq after which to begin, in a history that is kept from `oldest` to `newest`.
base::result<base::event_seq> beginning(const cursor& where, const session::history_page& kept)
{
    if (where.now)
        return kept.newest;
    const base::event_seq before_all = kept.oldest == 0 ? kept.newest : kept.oldest - 1;
    if (!where.given)
        return before_all;
    if (where.after > kept.newest)
        return std::unexpected(base::error{errc::cursor_ahead,
            fmt::format(
                "field \"after\": {} is ahead of the newest event, {}", where.after, kept.newest)});
    if (where.after < before_all)
        return std::unexpected(base::error{errc::events_gone,
            fmt::format("the events after {} are not kept any more", where.after)});
    return where.after;
}

response gone(const exchange& x, const base::error& why, base::event_seq oldest)
{
    const auto type = type_of(why);
    proto::api::problem what;
    what.name = type.name;
    what.title = type.title;
    what.status = type.status;
    what.detail = why.text;
    what.request_id = x.request_id;
    what.oldest_seq = oldest;
    return problem_response(what);
}

aio::awaitable<response> send_events(exchange& x, feed_request what)
{
    auto out = x.stream();
    const std::string type =
        what.format == event_format::sse ? "text/event-stream" : "application/x-ndjson";
    auto fields = x.stream_fields();
    fields.emplace_back("Cache-Control", "no-store");
    const auto begun = co_await out.begin(200, type, std::move(fields));
    if (!begun)
        co_return streamed(begun);
    event_feed feed{x.events(), x.service(), out, std::move(what)};
    auto running = feed.run();
    const auto told = co_await while_connected(x.client, std::move(running));
    if (!told)
        co_return streamed(told);
    const auto ended = co_await out.end();
    co_return streamed(ended);
}

} // namespace

aio::awaitable<response> show_events(exchange& x)
{
    parameters in{x.asked};
    const auto where = cursor_in(in, x.asked);
    auto task_id = id_in(in, "task_id");
    auto session_id = id_in(in, "session_id");
    auto types = in.list("types");
    feed_request what;
    what.who = x.who;
    what.limit = static_cast<std::size_t>(
        in.number("limit", std::numeric_limits<std::size_t>::max(), 1, any_number));
    what.follow = in.flag("follow");
    what.format = wants_sse(x.asked) ? event_format::sse : event_format::ndjson;
    what.heartbeat = x.all.bounds.heartbeat;
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto which = co_await x.service().event_filter(
        x.who, std::move(task_id), std::move(session_id), std::move(types));
    if (!which)
        co_return x.problem(which.error());
    what.which = std::move(*which);
    const auto kept = co_await x.events().history(what.which, 0, 0);
    if (!kept)
        co_return x.problem(kept.error());
    const auto after = beginning(where, *kept);
    if (!after && after.error().is(errc::events_gone))
        co_return gone(x, after.error(), kept->oldest);
    if (!after)
        co_return x.problem(after.error());
    what.after = *after;
    co_return co_await send_events(x, std::move(what));
}

} // namespace agentd::api
