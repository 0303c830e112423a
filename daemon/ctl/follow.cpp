// Watching what happens: follow, events.
#include "base/limits.hpp"
#include "ctl/commands.hpp"
#include "ctl/event_stream.hpp"
#include "ctl/format.hpp"
#include "proto/api/json.hpp"

namespace agentd::ctl {
namespace {

aio::awaitable<base::result<proto::api::task>> fetch_task(client& daemon, std::string id)
{
    http_request ask;
    ask.target = "/v1/tasks/" + url_escape(id);
    auto answer = co_await daemon.ask(std::move(ask));
    if (!answer)
        co_return std::unexpected(std::move(answer).error());
    auto task = proto::api::task_from(answer->root());
    if (!task)
        co_return std::unexpected(base::error{
            errc::daemon_error, "the daemon's answer is no task: " + task.error().text});
    co_return task;
}

// Prints each event: the daemon's JSON, or a line for people (live text is for JSON readers).
show_event printer(context& with)
{
    console& term = with.term;
    const bool json = with.json;
    return [&term, json](const std::string& raw, const proto::json::value& event) {
        const auto* type = event.find_string("type");
        if (json)
            term.raw(raw + "\n");
        else if (type != nullptr && *type != "model.delta")
            term.line(event_text(event));
        (void)term.flush(); // a follower sees it now
    };
}

} // namespace

aio::awaitable<base::result<proto::api::task>> watch(
    context& with, std::string id, std::optional<std::string> after, show_event show)
{
    auto task = co_await fetch_task(with.daemon, id); // makes a prefix whole, and finds errors
    if (!task)
        co_return task;
    const std::string whole_id = task->id.str();
    event_query which;
    which.after = std::move(after);
    which.task = whole_id;
    which.follow = true;
    event_stream events{with.daemon, std::move(which)};
    for (;;) {
        auto next = co_await events.next();
        if (!next)
            co_return std::unexpected(std::move(next).error());
        if (*next) {
            show((*next)->raw, (*next)->value.root());
            continue;
        }
        auto now = co_await fetch_task(with.daemon, whole_id);
        if (!now || proto::api::has_ended(now->state))
            co_return now;
        co_await aio::sleep_for(limits::client_reconnect_pause); // the daemon is restarting
    }
}

done execute(context& with, follow_verb what)
{
    with.farewell = "task " + what.id + " goes on";
    auto show = printer(with);
    auto ended = co_await watch(with, what.id, what.after, std::move(show));
    with.farewell.clear();
    if (!ended)
        co_return std::unexpected(std::move(ended).error());
    co_return outcome_of(*ended);
}

done execute(context& with, events_verb what)
{
    event_query which;
    which.after = what.after;
    which.task = what.task;
    which.session = what.session;
    which.types = what.types;
    which.limit = static_cast<std::size_t>(what.limit);
    which.follow = what.follow;
    event_stream events{with.daemon, std::move(which)};
    const auto show = printer(with);
    for (;;) {
        auto next = co_await events.next();
        if (!next)
            co_return std::unexpected(std::move(next).error());
        if (!*next)
            co_return base::result<>{};
        show((*next)->raw, (*next)->value.root());
    }
}

} // namespace agentd::ctl
