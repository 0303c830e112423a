// Tasks: ls, show, wait, cancel, send.
#include "aio/deadline.hpp"
#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "ctl/commands.hpp"
#include "ctl/event_stream.hpp"
#include "ctl/format.hpp"
#include "proto/api/json.hpp"
#include "proto/json/writer.hpp"

#include <fmt/format.h>

#include <set>

namespace agentd::ctl {
namespace {

using proto::api::task;

base::error no_task(const base::error& why)
{
    return {errc::daemon_error, "the daemon's answer is no task: " + why.text};
}

std::vector<std::string> row_of(const task& t)
{
    constexpr std::size_t prompt_chars = 120;
    return {t.id.str(), std::string{to_string(t.state)}, short_age(t.created_at, base::wall_now()),
        fmt::format("{}", t.turns), short_cost(t.cost_usd), base::one_line(t.prompt, prompt_chars)};
}

void show_ended(context& with, const std::string& raw, const task& t)
{
    if (with.json)
        with.term.raw(raw + "\n");
    else
        with.term.line(fmt::format("{} {}", t.id.str(), to_string(t.state)));
}

base::error timed_out()
{
    return {errc::wait_timed_out, "the wait timed out"};
}

// Time left of a wait; nullopt: no limit.
struct wait_limit {
    std::optional<base::mono_time> until;

    [[nodiscard]] std::chrono::milliseconds left(std::chrono::milliseconds at_most) const
    {
        if (!until)
            return at_most;
        const auto rest = std::chrono::ceil<std::chrono::milliseconds>(*until - base::mono_now());
        return std::clamp(rest, std::chrono::milliseconds{0}, at_most);
    }
    [[nodiscard]] bool is_over() const { return until && base::mono_now() >= *until; }
};

// Waits for one task to end, asking again and again.
aio::awaitable<base::result<task>> wait_for(context& with, std::string id, wait_limit limit)
{
    for (;;) {
        const auto span =
            std::chrono::ceil<std::chrono::seconds>(limit.left(limits::client_wait_piece));
        http_request ask;
        ask.target = fmt::format("/v1/tasks/{}/wait?timeout_s={}", url_escape(id), span.count());
        auto answer =
            co_await with.daemon.ask(std::move(ask), span + limits::client_reply_deadline);
        if (!answer)
            co_return std::unexpected(std::move(answer).error());
        auto now = proto::api::task_from(answer->root());
        if (!now)
            co_return std::unexpected(no_task(now.error()));
        if (proto::api::has_ended(now->state)) {
            show_ended(with, std::string{answer->root().raw()}, *now);
            co_return now;
        }
        if (limit.is_over())
            co_return std::unexpected(timed_out());
    }
}

done wait_for_all(context& with, std::vector<std::string> ids, wait_limit limit)
{
    base::result<> worst; // the first failure, before a cancellation
    for (const auto& id : ids) {
        const auto ended = co_await wait_for(with, id, limit);
        if (!ended)
            co_return std::unexpected(ended.error());
        if (auto one = outcome_of(*ended); !one && (worst || one.error().is(errc::task_failed)))
            worst = worst || !worst.error().is(errc::task_failed) ? std::move(one) : worst;
    }
    co_return worst;
}

// The newest event's number now.
aio::awaitable<base::result<std::string>> newest_seq(client& daemon)
{
    http_request ask;
    ask.target = "/v1/tasks?limit=1";
    auto page = co_await daemon.ask(std::move(ask));
    if (!page)
        co_return std::unexpected(std::move(page).error());
    const auto* seq = page->root().find("seq");
    co_return seq == nullptr ? std::string{"now"} : plain_text(*seq);
}

// Looks at each task once: the first that has ended, if any. Notes the whole ids.
aio::awaitable<base::result<std::optional<task>>> first_ended(
    context& with, std::vector<std::string> ids, std::set<std::string>& whole_ids)
{
    for (const auto& id : ids) {
        http_request ask;
        ask.target = "/v1/tasks/" + url_escape(id);
        auto answer = co_await with.daemon.ask(std::move(ask));
        if (!answer)
            co_return std::unexpected(std::move(answer).error());
        auto now = proto::api::task_from(answer->root());
        if (!now)
            co_return std::unexpected(no_task(now.error()));
        whole_ids.insert(now->id.str());
        if (proto::api::has_ended(now->state)) {
            show_ended(with, std::string{answer->root().raw()}, *now);
            co_return std::optional{std::move(*now)};
        }
    }
    co_return std::optional<task>{};
}

// Reads the history from before the look at the tasks on, so that no end falls in between.
done wait_for_any(context& with, std::vector<std::string> ids, wait_limit limit)
{
    auto seq = co_await newest_seq(with.daemon);
    if (!seq)
        co_return std::unexpected(std::move(seq).error());
    std::set<std::string> wanted;
    auto already = co_await first_ended(with, std::move(ids), wanted);
    if (!already)
        co_return std::unexpected(std::move(already).error());
    if (*already)
        co_return outcome_of(**already);
    event_query which;
    which.after = std::move(*seq);
    which.types.emplace_back("task.finished");
    which.follow = true;
    event_stream ends{with.daemon, std::move(which)};
    for (;;) {
        auto next =
            co_await aio::with_deadline(ends.next(), limit.left(limits::client_wait_longest));
        if (!next)
            co_return std::unexpected(
                next.error().is(aio::errc::timed_out) ? timed_out() : std::move(next).error());
        const auto* id = *next ? (*next)->value.root().find_string("task_id") : nullptr;
        if (id == nullptr || !wanted.contains(*id))
            continue;
        const auto ended = co_await wait_for(with, *id, limit);
        if (!ended)
            co_return std::unexpected(ended.error());
        co_return outcome_of(*ended);
    }
}

// What an id looks like says which kind of thing it is: DESIGN §3.
std::string path_of(const std::string& id)
{
    if (id.starts_with("t_"))
        return "/v1/tasks/";
    return id.starts_with("s_") ? "/v1/sessions/" : "/v1/jobs/";
}

} // namespace

done execute(context& with, ls_verb what)
{
    query q;
    std::string states;
    for (const auto& state : what.states)
        states += (states.empty() ? "" : ",") + state;
    if (!states.empty())
        q.add("state", states);
    if (what.session)
        q.add("session_id", *what.session);
    for (const auto& [key, value] : what.labels)
        q.add("label", fmt::format("{}={}", key, value));
    std::vector<std::vector<std::string>> rows;
    console& term = with.term;
    const bool json = with.json;
    const auto take = [&term, &rows, json](const proto::json::value& item) -> base::result<> {
        if (json) {
            term.raw(std::string{item.raw()} + "\n");
            return {};
        }
        const auto one = proto::api::task_from(item);
        if (!one)
            return std::unexpected(no_task(one.error()));
        rows.push_back(row_of(*one));
        return {};
    };
    std::string path{"/v1/tasks"};
    std::function<base::result<>(const proto::json::value&)> each = take;
    auto listed =
        co_await each_item(with.daemon, std::move(path), std::move(q), what.limit, std::move(each));
    if (listed && !json)
        term.table({"ID", "STATE", "AGE", "TURNS", "COST", "PROMPT"}, rows);
    co_return listed;
}

done execute(context& with, show_verb what)
{
    http_request ask;
    ask.target = path_of(what.id) + url_escape(what.id);
    auto answer = co_await with.daemon.ask(std::move(ask));
    if (!answer)
        co_return std::unexpected(std::move(answer).error());
    if (with.json)
        with.term.raw(std::string{answer->root().raw()} + "\n");
    else
        print_object(with.term, answer->root());
    co_return base::result<>{};
}

done execute(context& with, wait_verb what)
{
    wait_limit limit;
    if (what.timeout_s)
        limit.until = base::mono_now() + std::chrono::seconds{*what.timeout_s};
    if (what.any)
        co_return co_await wait_for_any(with, std::move(what.ids), limit);
    co_return co_await wait_for_all(with, std::move(what.ids), limit);
}

done execute(context& with, cancel_verb what)
{
    for (const auto& id : what.ids) {
        http_request call;
        call.method = "POST";
        call.target = "/v1/tasks/" + url_escape(id) + "/cancel";
        auto answer = co_await with.daemon.ask(std::move(call));
        if (!answer)
            co_return std::unexpected(std::move(answer).error());
        const auto now = proto::api::task_from(answer->root());
        if (!now)
            co_return std::unexpected(no_task(now.error()));
        if (with.json)
            with.term.raw(std::string{answer->root().raw()} + "\n");
        else if (proto::api::has_ended(now->state))
            with.term.say(fmt::format("{} has ended: {}", now->id.str(), to_string(now->state)));
        else
            with.term.say(fmt::format("{} is being cancelled", now->id.str()));
    }
    co_return base::result<>{};
}

done execute(context& with, send_verb what)
{
    constexpr std::size_t key_digits = 32;
    http_request call;
    call.method = "POST";
    call.target = "/v1/tasks/" + url_escape(what.id) + "/messages";
    call.idempotency_key = what.idempotency_key.value_or(base::random_hex(key_digits));
    {
        proto::json::object_writer body{call.body};
        body.member("text", what.text);
    }
    auto answer = co_await with.daemon.ask(std::move(call));
    if (!answer)
        co_return std::unexpected(std::move(answer).error());
    if (with.json)
        with.term.raw(std::string{answer->root().raw()} + "\n");
    co_return base::result<>{};
}

} // namespace agentd::ctl
