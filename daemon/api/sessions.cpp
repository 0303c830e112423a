// The calls about sessions; see handlers.hpp.
#include "api/form.hpp"
#include "api/handlers.hpp"
#include "proto/api/json.hpp"
#include "proto/json/writer.hpp"

#include <limits>

namespace agentd::api {
namespace {

constexpr int export_version = 1;

// One line of an export: an object whose `record` says what it is.
template <class T>
std::string export_line(std::string_view record, const T& value)
{
    std::string line;
    {
        proto::json::object_writer to{line};
        to.member("record", record);
        if (record == "session")
            to.member("version", export_version);
        to.raw(record, proto::api::to_json(value));
    }
    line += '\n';
    return line;
}

std::string export_end(std::int64_t messages)
{
    std::string line;
    {
        proto::json::object_writer to{line};
        to.member("record", "end").member("messages", messages);
    }
    line += '\n';
    return line;
}

// The messages after the first line; an export without its last line is cut off.
aio::awaitable<base::result<>> send_messages(exchange& x, body_stream& out, std::string id)
{
    std::int64_t after = 0;
    std::int64_t sent = 0;
    for (;;) {
        auto page = co_await x.service().messages(x.who, id, after, limits::list_items);
        if (!page)
            co_return std::unexpected(std::move(page.error()));
        std::string lines;
        for (const auto& message : page->items) {
            lines += export_line("message", message);
            after = message.seq;
            ++sent;
        }
        const bool last = page->items.empty() || page->next.empty();
        if (last)
            lines += export_end(sent);
        auto written = co_await out.write(std::move(lines));
        if (!written || last)
            co_return written;
    }
}

} // namespace

aio::awaitable<response> list_sessions(exchange& x)
{
    parameters in{x.asked};
    const auto limit = list_limit(in);
    auto after = cursor_in(in, cursor_of::sessions);
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto page = co_await x.service().sessions(x.who, limit, std::move(after));
    if (!page)
        co_return x.problem(page.error());
    co_return response{200, proto::api::page_json(page->items, page->next, page->seq)};
}

aio::awaitable<response> show_session(exchange& x)
{
    parameters in{x.asked};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto session = co_await x.service().session(x.who, x.id);
    if (!session)
        co_return x.problem(session.error());
    co_return response{200, proto::api::to_json(*session)};
}

aio::awaitable<response> list_messages(exchange& x)
{
    parameters in{x.asked};
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    const auto after = static_cast<std::int64_t>(in.number("after", 0, 0, most));
    const auto limit = list_limit(in);
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto page = co_await x.service().messages(x.who, x.id, after, limit);
    if (!page)
        co_return x.problem(page.error());
    co_return response{200, proto::api::page_json(page->items, page->next, page->seq)};
}

aio::awaitable<response> export_session(exchange& x)
{
    parameters in{x.asked};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto session = co_await x.service().session(x.who, x.id);
    if (!session)
        co_return x.problem(session.error());
    auto out = x.stream();
    const auto begun = co_await out.begin(200, "application/x-ndjson", x.stream_fields());
    if (!begun)
        co_return streamed(begun);
    auto first = export_line("session", *session);
    const auto opened = co_await out.write(std::move(first));
    if (!opened)
        co_return streamed(opened);
    const auto sent = co_await send_messages(x, out, session->id.str());
    if (!sent)
        co_return streamed(sent); // without an end: the client sees that it is cut off
    const auto ended = co_await out.end();
    co_return streamed(ended);
}

aio::awaitable<response> import_session(exchange& x)
{
    co_return x.problem(problems::not_implemented, "sessions cannot be imported yet");
}

aio::awaitable<response> delete_session(exchange& x)
{
    parameters in{x.asked};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto done = co_await x.service().remove_session(x.who, x.id);
    if (!done)
        co_return x.problem(done.error());
    response answer{204, {}};
    answer.content_type.clear();
    co_return answer;
}

} // namespace agentd::api
