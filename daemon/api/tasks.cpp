// The calls about tasks; see handlers.hpp.
#include "api/form.hpp"
#include "api/handlers.hpp"
#include "proto/api/json.hpp"
#include "proto/api/parse.hpp"

namespace agentd::api {
namespace {

constexpr std::uint64_t wait_default_s = 30;

// `label=k=v`, any number of times.
proto::api::labels labels_in(parameters& in)
{
    proto::api::labels labels;
    for (const auto& text : in.all("label")) {
        const auto equals = text.find('=');
        const auto key = text.substr(0, equals);
        if (equals == std::string::npos || !proto::api::is_label_key(key))
            in.complain("label", "must be KEY=VALUE");
        else
            labels[key] = text.substr(equals + 1);
    }
    return labels;
}

response accepted(session::submitted what)
{
    response answer{202, std::move(what.answer)};
    answer.fields.emplace_back("Location", "/v1/tasks/" + what.id.str());
    return answer;
}

} // namespace

aio::awaitable<response> submit_task(exchange& x)
{
    if (x.all.draining)
        co_return x.problem(problems::draining, "the daemon is stopping: submit again later");
    parameters in{x.asked};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto key = idempotency_key(x);
    if (!key)
        co_return x.problem(key.error());
    auto what = proto::api::parse_submit(x.asked.body);
    if (!what)
        co_return x.problem(what.error());
    auto done = co_await x.service().submit(x.who, std::move(*what), std::move(*key));
    if (!done)
        co_return x.problem(done.error());
    co_return accepted(std::move(*done));
}

aio::awaitable<response> list_tasks(exchange& x)
{
    parameters in{x.asked};
    session::task_filter which;
    which.states = states_in(in, proto::api::task_state_from);
    which.session_id = id_in(in, "session_id");
    which.labels = labels_in(in);
    which.limit = list_limit(in);
    which.after = cursor_in(in, cursor_of::tasks);
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto page = co_await x.service().tasks(x.who, std::move(which));
    if (!page)
        co_return x.problem(page.error());
    co_return response{200, proto::api::page_json(page->items, page->next, page->seq)};
}

aio::awaitable<response> show_task(exchange& x)
{
    parameters in{x.asked};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto task = co_await x.service().task(x.who, x.id);
    if (!task)
        co_return x.problem(task.error());
    co_return response{200, proto::api::to_json(*task)};
}

aio::awaitable<response> wait_for_task(exchange& x)
{
    parameters in{x.asked};
    constexpr auto most = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(limits::wait_longest).count());
    const std::chrono::seconds limit{in.number("timeout_s", wait_default_s, 0, most)};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto waiting = x.service().wait(x.who, x.id, limit);
    auto task = co_await while_connected(x.client, std::move(waiting));
    if (!task)
        co_return x.problem(task.error());
    co_return response{200, proto::api::to_json(*task)};
}

aio::awaitable<response> cancel_task(exchange& x)
{
    parameters in{x.asked};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    if (const auto wrong = no_fields(x.asked.body); !wrong)
        co_return x.problem(wrong.error());
    auto done = co_await x.service().cancel(x.who, x.id);
    if (!done)
        co_return x.problem(done.error());
    co_return response{done->already_ended ? 200 : 202, proto::api::to_json(done->task)};
}

aio::awaitable<response> add_message(exchange& x)
{
    if (x.all.draining)
        co_return x.problem(problems::draining, "the daemon is stopping: send it again later");
    parameters in{x.asked};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto key = idempotency_key(x);
    if (!key)
        co_return x.problem(key.error());
    auto text = proto::api::parse_message(x.asked.body);
    if (!text)
        co_return x.problem(text.error());
    auto done = co_await x.service().add_message(x.who, x.id, std::move(*text), std::move(*key));
    if (!done)
        co_return x.problem(done.error());
    co_return accepted(std::move(*done));
}

} // namespace agentd::api
