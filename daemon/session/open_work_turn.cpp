// open_work: composing a request, asking the model, storing the reply. On the session's strand.
#include "base/log.hpp"
#include "base/text.hpp"
#include "proto/messages/encode.hpp"
#include "session/commit.hpp"
#include "session/event_hub.hpp"
#include "session/events.hpp"
#include "session/open_work.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>

namespace agentd::session {
namespace {

namespace wire = proto::messages;

// Hands on what a running request tells: text to followers, retries to the session.
class watcher final : public model::progress {
public:
    using sink = std::function<void(proto::api::event)>;
    // `live`: what the model says is for those who follow; a summary is not.
    watcher(event_hub& hub, proto::api::task task, std::int64_t turn, bool live, sink events)
        : hub_(hub), task_(std::move(task)), turn_(turn), live_(live), events_(std::move(events))
    {}

    void on_text(std::int64_t attempt, std::size_t index, std::string_view text) override
    {
        if (!live_)
            return;
        hub_.publish({task_.session_id, task_.id, task_.owner_uid, turn_, attempt, index,
            std::string{text}});
    }
    void on_retry(
        std::int64_t attempt, const model::failure& why, std::chrono::milliseconds delay) override
    {
        events_(events::model_retry(task_, turn_, attempt, why, delay));
    }
    void on_fallback(std::string_view from, std::string_view to, const model::failure& why) override
    {
        events_(events::model_fallback(task_, turn_, from, to, why));
    }

private:
    event_hub& hub_;
    proto::api::task task_;
    std::int64_t turn_;
    bool live_;
    sink events_;
};

bool asks_for_tools(const model::reply& reply)
{
    // Unknown stop reasons run complete calls, too; what was cut off is answered, never run
    // (wire reference §2.1).
    const bool no_tools =
        reply.stop == model::stop_reason::refusal || reply.stop == model::stop_reason::pause_turn;
    return !no_tools && std::ranges::any_of(reply.content, [](const model::block& block) {
        return block.kind == model::block_kind::tool_use;
    });
}

ending failed_request(const model::failure& why)
{
    return {proto::api::task_state::failed, "model_error", why.message, why.status, why.request_id};
}

} // namespace

base::result<std::vector<std::int64_t>> open_work::compose(const todo::ask& how)
{
    auto news = sealed_ ? owner_.inbox_.drain_messages() : owner_.inbox_.drain();
    std::size_t number = 0;
    for (auto& job : news.jobs)
        carried_.push_back({news.ids[number++], std::move(job), {}});
    for (const auto& text : news.messages)
        carried_.push_back({news.ids[number++], std::nullopt, text});
    if (!news.jobs.empty()) {
        std::vector<job_news> all;
        for (const auto& one : carried_)
            if (one.job)
                all.push_back(*one.job);
        auto added = history_.add_background(background_results(all));
        if (!added)
            return std::unexpected(std::move(added.error()));
    }
    if (!prompt_told_)
        history_.add_text(task_.shown.prompt);
    prompt_told_ = true;
    if (!how.nudge.empty())
        history_.add_text(how.nudge);
    for (const auto& message : news.messages)
        history_.add_text(message);
    return std::move(news.ids);
}

aio::awaitable<std::optional<event>> open_work::run(todo::ask how)
{
    if (how.continuation || !is_window_guessed())
        co_return co_await compact_or_send(std::move(how));
    window_asked_ = true;
    due_ = std::move(how);
    asking_.start("context window", ask_for_window(++step_, history_.epoch().model));
    co_return std::nullopt;
}

aio::awaitable<std::optional<event>> open_work::compact_or_send(todo::ask how)
{
    if (!how.continuation && compaction_needed() != context_window::need::nothing)
        co_return co_await begin_compaction(std::move(how), std::nullopt);
    co_return co_await send(std::move(how));
}

aio::awaitable<std::optional<event>> open_work::send(todo::ask how)
{
    steps::turn_start start;
    if (!how.continuation) {
        auto composed = compose(how);
        if (!composed)
            co_return internal_error(composed.error().text);
        if (history_.pending().empty())
            co_return internal_error("there is nothing to ask the model");
        start.attach = std::move(*composed);
    }
    start.task = task_.shown.id;
    start.turn = task_.shown.turns + 1;
    start.epoch = history_.epoch().number;
    start.pending = history_.pending();
    start.pending_seq = history_.pending_seq();
    start.got_on = got_on_;
    auto begin = [task = task_, start](
                     store::connection& db) { return steps::begin_turn(db, task, start); };
    const auto seq = co_await commit(shared_, store::step::begin_turn, std::move(begin));
    if (std::exchange(got_on_, false))
        task_.unclean_ends = 0;
    if (!start.pending.empty())
        history_.stored_as(seq);
    auto request = history_.request(settings_->max_tokens);
    asking_.start("model request", ask_model(++step_, std::move(request)));
    co_return std::nullopt;
}

aio::awaitable<> open_work::ask_model(std::uint64_t step, model::request what)
{
    auto note = [this, step](
                    proto::api::event e) { owner_.put(report::model_retries{step, std::move(e)}); };
    watcher told{shared_.hub, task_.shown, task_.shown.turns + 1, !compacting_, std::move(note)};
    report::model_answered answer;
    answer.step = step;
    try {
        auto outcome = co_await shared_.model.ask(std::move(what), told);
        answer.outcome = std::move(outcome);
    } catch (const boost::system::system_error&) {
        throw;                               // cancelled: nobody waits for an answer
    } catch (const std::exception& broken) { // out of memory, or a bug: the task ends
        model::failure why;
        why.type = "internal";
        why.message = broken.what();
        answer.outcome = std::unexpected(std::move(why));
    }
    owner_.put(std::move(answer));
}

aio::awaitable<std::optional<event>> open_work::answered(model::outcome outcome)
{
    co_await asking_.join(); // it has handed in its outcome: nothing is left to wait for
    if (compacting_)
        co_return co_await compacted(std::move(outcome));
    if (!outcome)
        co_return co_await not_answered(std::move(outcome.error()));
    // Decided before it is stored: calls that start at once are noted with the reply.
    auto next = loop_.on(summary_of(*outcome));
    co_await store_reply(std::move(*outcome), next);
    co_await obey(std::move(next));
    co_return std::nullopt;
}

aio::awaitable<std::optional<event>> open_work::not_answered(model::failure why)
{
    log::warning(
        "model.failed", {owner_.id_.str(), task_.shown.id.str()}, "no reply: {}", why.message);
    co_await bill(why.discarded);
    if (why.too_long) {
        window_.overflowed();
        auto spent = spent_by({}, 0);
        if (!spent.empty())
            co_return happened::request_failed{failed_as("budget", std::move(spent))};
        todo::ask again; // what was asked already is told anew: it has to fit no nudge
        if (compaction_needed() != context_window::need::nothing)
            co_return co_await begin_compaction(std::move(again), std::move(why));
        if (window_.failures() != 0)
            why.message += fmt::format(
                "; {} attempts to summarise the conversation came to nothing", window_.failures());
    }
    co_return happened::request_failed{failed_request(why)};
}

aio::awaitable<> open_work::store_reply(model::reply reply, const std::vector<action>& next)
{
    const bool refused = reply.stop == model::stop_reason::refusal;
    const auto* runs = next.empty() ? nullptr : std::get_if<todo::run_tools>(&next.front());
    calls_.clear();
    plan_.reset();
    if (runs != nullptr)
        note_calls(reply, runs->refuse.empty());
    steps::turn_end end;
    end.turn = task_.shown.turns + 1;
    end.epoch = history_.epoch().number;
    end.elapsed_ms = elapsed().count();
    end.pending_seq = history_.pending_seq();
    end.content = refused ? std::string{} : model::history_content(reply);
    end.cost_usd = cost_of_reply(reply);
    for (const auto& call : calls_)
        end.calls.push_back(call.row);
    if (!refused)
        window_.replied(reply.usage, reply.stop);
    end.context_tokens = window_.known();
    task_.shown.turns += 1;
    count(usage_of(model::billed_usage(reply)), end.cost_usd);
    task_.shown.stop_reason = to_string(reply.stop);
    end.reply = std::move(reply);
    auto store = [task = task_, end](
                     store::connection& db) { return steps::complete_reply(db, task, end); };
    const auto seq = co_await commit(shared_, store::step::complete_reply, std::move(store));
    if (calls_.empty())
        task_.unclean_ends = 0;
    for (auto& call : calls_)
        call.row.message_seq = seq;
    if (refused)
        co_return;
    if (end.reply.without_thinking)
        history_.drop_thinking();
    history_.answered(std::move(end.content));
    carried_.clear();
    sealed_ = false;
}

happened::reply open_work::summary_of(const model::reply& reply) const
{
    happened::reply summary;
    summary.calls = asks_for_tools(reply);
    summary.refused = reply.stop == model::stop_reason::refusal;
    summary.paused = reply.stop == model::stop_reason::pause_turn;
    summary.cut = reply.stop == model::stop_reason::max_tokens ||
        reply.stop == model::stop_reason::context_window_exceeded;
    summary.empty = !summary.cut && model::history_content(reply).empty();
    summary.refusal = reply.refusal_explanation;
    summary.spent = spent_by(usage_of(model::billed_usage(reply)), cost_of_reply(reply));
    return summary;
}

} // namespace agentd::session
