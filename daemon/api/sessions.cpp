// The calls about sessions; see handlers.hpp. Export and import stand in transfer.cpp.
#include "api/form.hpp"
#include "api/handlers.hpp"
#include "proto/api/json.hpp"

#include <limits>

namespace agentd::api {

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
