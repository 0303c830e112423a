// open_work: a conversation that is about to exceed the model's context window goes on in a new
// epoch, with a summary in its place. Nothing is stored until the summary is there: whatever
// ends the daemon before that leaves the old epoch, and it is asked for again.
//
//   perhaps too full -> ask for the window's size, once, if it is not known; then:
//   too full -> ask for a summary -> adopt -> the request that was due, in the new epoch
//                    `-> of no use -> that request as it is; again before the next one
//   refused as too long -> ask with an extract -> adopt | again, shorter | the task fails
//
// The inbox is not drained for it: what waits there is told in the new epoch. Its replies are
// paid for, but are no turns: max_turns counts work. On the session's strand.
#include "base/log.hpp"
#include "proto/messages/encode.hpp"
#include "session/commit.hpp"
#include "session/compaction.hpp"
#include "session/events.hpp"
#include "session/open_work.hpp"

#include <boost/system/system_error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace agentd::session {
namespace {

using need = context_window::need;

proto::api::usage usage_of(const model::reply& reply)
{
    const auto used = model::billed_usage(reply);
    return {used.input, used.output, used.cache_read, used.cache_write};
}

// Else any other request would fail just as well.
bool is_about_the_request(const model::failure& why)
{
    return why.too_long || why.status == 400 || why.status == 422 || why.type == "protocol_error";
}

bool calls_tools(const model::reply& reply)
{
    using model::stop_reason;
    return reply.stop == stop_reason::tool_use || reply.stop == stop_reason::pause_turn ||
        std::ranges::any_of(reply.content,
            [](const model::block& block) { return block.kind == model::block_kind::tool_use; });
}

bool is_cut(const model::reply& reply)
{
    using model::stop_reason;
    return reply.stop == stop_reason::max_tokens ||
        reply.stop == stop_reason::context_window_exceeded;
}

} // namespace

bool open_work::is_window_guessed() const
{
    if (window_asked_ || settings_->compact_at <= 0 || settings_->context_window > 0)
        return false;
    // Below half of the guess hardly any window is too full.
    const auto pending = history_.pending().size() + untold();
    return window_.filled(pending, history_.size() + untold()) > limits::context_window / 2;
}

aio::awaitable<> open_work::ask_for_window(std::uint64_t step, std::string model)
{
    report::window_told told;
    told.step = step;
    try {
        const auto tokens = co_await shared_.model.input_limit(std::move(model));
        told.tokens = tokens;
    } catch (const boost::system::system_error&) {
        throw;                               // cancelled: nobody waits for an answer
    } catch (const std::exception& broken) { // out of memory, or a bug: it is guessed
        log::warning("model.failed", {owner_.id_.str(), task_.shown.id.str()},
            "the window's size is not known: {}", broken.what());
    }
    owner_.put(told);
}

aio::awaitable<std::optional<event>> open_work::window_told(std::optional<std::int64_t> tokens)
{
    co_await asking_.join();
    if (tokens && *tokens > 0)
        window_.learn(*tokens);
    co_return co_await compact_or_send(std::move(due_));
}

need open_work::compaction_needed() const
{
    const auto needed = window_.look(history_.pending().size(), history_.size(), untold());
    return needed != need::nothing && can_be_summarised() ? needed : need::nothing;
}

bool open_work::can_be_summarised() const
{
    const auto& prompt = task_.shown.prompt;
    if (!has_room_for(prompt.size()))
        return false;
    if (history_.has_reply())
        return true;
    // A summary that nobody has answered yet, or what an earlier task was about.
    const std::string own[] = {proto::messages::text_block(prompt)};
    const auto told = prompt_told_ ? proto::messages::content_of(own).size() : 0;
    return history_.pending_without_background().size() > told;
}

std::size_t open_work::untold() const
{
    return prompt_told_ ? 0 : task_.shown.prompt.size();
}

bool open_work::has_room_for(std::size_t messages) const
{
    const auto& epoch = history_.epoch();
    return window_.has_room_for(epoch.system.size() + epoch.tools.size() + messages);
}

aio::awaitable<std::optional<event>> open_work::begin_compaction(
    todo::ask then, std::optional<model::failure> refused)
{
    compacting how;
    how.form = compaction_needed();
    how.then = std::move(then);
    how.refused = std::move(refused);
    how.tokens_before = window_.filled(history_.pending().size(), history_.size());
    history_.drop_open_server_calls();
    // Ends of jobs are told once: in the new epoch, with all that waits.
    const std::string wish[] = {proto::messages::text_block(compaction::instruction())};
    const auto before = history_.pending_without_background();
    how.asked = before.empty() ? proto::messages::content_of(wish)
                               : proto::messages::append_blocks(before, wish);
    log::info("session.compacting", {owner_.id_.str(), task_.shown.id.str()},
        "the conversation is too long ({} tokens): asking for a summary", how.tokens_before);
    auto begin = [task = task_](store::connection& db) {
        steps::begin_compaction(db, task, task.shown.turns + 1);
    };
    co_await commit(shared_, store::step::begin_turn, std::move(begin));
    auto request = compaction_request(how);
    compacting_ = std::move(how);
    asking_.start("compaction", ask_model(++step_, std::move(request)));
    co_return std::nullopt;
}

model::request open_work::compaction_request(const compacting& how) const
{
    if (how.form != need::digest) {
        const auto room = window_.summary_tokens(history_.pending().size(), history_.size());
        return history_.request_ending(how.asked, room);
    }
    // A conversation of its own: nothing in it has to fit anything but the window.
    auto all = history_.request_ending({}, 0);
    const std::vector<std::string> blocks{
        proto::messages::text_block(compaction::digest(
            all.messages, history_.pending_without_background(), window_.digest_bytes())),
        proto::messages::text_block(compaction::instruction())};
    auto only = std::make_shared<const std::string>(
        proto::messages::user_message(proto::messages::content_of(blocks)));
    all.max_tokens = window_.summary_tokens(all.system->size() + only->size());
    all.tools.reset();
    all.messages.clear();
    all.messages.push_back(std::move(only));
    return all;
}

aio::awaitable<std::optional<event>> open_work::compacted(model::outcome outcome)
{
    auto how = std::move(*compacting_);
    compacting_.reset();
    if (!outcome && !is_about_the_request(outcome.error()))
        co_return co_await not_answered(std::move(outcome.error()));
    if (!outcome) {
        co_await bill(std::move(outcome.error().discarded));
        co_return co_await not_compacted(
            std::move(how), std::nullopt, std::move(outcome.error().message));
    }
    steps::summary_reply made;
    made.turn = task_.shown.turns + 1;
    made.elapsed_ms = elapsed().count();
    made.cost_usd = cost_of_reply(*outcome);
    made.reply = std::move(*outcome);
    const auto used = usage_of(made.reply);
    const auto spent = spent_by(used, made.cost_usd);
    count(used, made.cost_usd);
    auto first = new_beginning(made.reply);
    auto problem = problem_of(made.reply, first);
    if (!problem.empty()) {
        auto next = co_await not_compacted(std::move(how), std::move(made), std::move(problem));
        co_return next;
    }
    co_await adopt(how, std::move(made), std::move(first));
    if (!spent.empty())
        co_return happened::request_failed{failed_as("budget", spent)};
    how.then.continuation = false; // what was paused is part of the summary
    co_return co_await send(std::move(how.then));
}

std::string open_work::problem_of(const model::reply& summary, const std::string& first) const
{
    if (summary.stop == model::stop_reason::refusal)
        return "the model refused to summarise";
    if (calls_tools(summary)) // nobody answers them: the history must not end with them
        return "the model called tools instead";
    if (first.empty())
        return "the reply holds no text";
    if (is_cut(summary) && !window_.is_last_try()) // what is open stands at its end
        return "the summary was cut";
    if (!has_room_for(first.size() + untold()))
        return "with the summary the conversation would be too long again";
    return {};
}

std::string open_work::new_beginning(const model::reply& summary) const
{
    compaction::beginning all;
    all.summary = compaction::text_of(summary);
    if (all.summary.empty())
        return {};
    if (prompt_told_)
        all.prompt = task_.shown.prompt;
    for (const auto& job : owner_.jobs_.shown())
        all.jobs.push_back({job.id.str(), std::string{to_string(job.state)}, job.command});
    return compaction::first_message(all);
}

aio::awaitable<> open_work::adopt(
    const compacting& how, steps::summary_reply made, std::string first)
{
    steps::compaction what;
    what.pending_seq = history_.pending_seq();
    what.asked = how.asked;
    what.content = model::history_content(made.reply);
    what.next = history_.epoch();
    what.next.number += 1;
    what.first = first;
    // A message of the task itself would say that its prompt has been told.
    what.first_of = prompt_told_ ? task_.shown.id : last_task_;
    what.tokens_before = how.tokens_before;
    what.reason = how.refused ? "too_long" : "window";
    what.form = how.form == need::digest ? "digest" : "summary";
    what.made = std::move(made);
    auto store = [task = task_, what](
                     store::connection& db) { return steps::compact(db, task, what); };
    const auto seq = co_await commit(shared_, store::step::new_epoch, std::move(store));
    log::info("session.compacted", {owner_.id_.str(), task_.shown.id.str()},
        "the conversation goes on in epoch {} with a summary", what.next.number);
    what.next.first_seq = seq;
    history_.begin_epoch(std::move(what.next), std::move(first), seq);
    window_.compacted();
    // What the message carried waits again.
    std::vector<std::int64_t> ids;
    for (const auto& one : carried_)
        ids.push_back(one.id);
    owner_.inbox_.forget(ids);
    receive(std::exchange(carried_, {}));
    sealed_ = false;
}

aio::awaitable<std::optional<event>> open_work::not_compacted(
    compacting how, std::optional<steps::summary_reply> made, std::string reason)
{
    window_.failed();
    log::warning("session.compaction_failed", {owner_.id_.str(), task_.shown.id.str()},
        "the conversation could not be summarised: {}", reason);
    auto spent = spent_by({}, 0); // also by what was refused without a reply in the end
    steps::failed_compaction what;
    what.turn = task_.shown.turns + 1;
    what.made = std::move(made);
    what.reason = std::move(reason);
    what.failures = window_.failures();
    what.gave_up = window_.gave_up();
    auto store = [task = task_, what](
                     store::connection& db) { steps::fail_compaction(db, task, what); };
    co_await commit(shared_, store::step::daemon_event, std::move(store));
    if (!spent.empty())
        co_return happened::request_failed{failed_as("budget", std::move(spent))};
    if (!how.refused)
        co_return co_await send(std::move(how.then));
    // Without a summary the request cannot be made at all: tried until that is given up.
    if (compaction_needed() != need::nothing)
        co_return co_await begin_compaction(std::move(how.then), std::move(how.refused));
    auto why = std::move(*how.refused);
    why.message += fmt::format("; {} attempts to summarise the conversation came to nothing, the "
                               "last one: {}",
        what.failures, what.reason);
    co_return happened::request_failed{
        {proto::api::task_state::failed, "model_error", why.message, why.status, why.request_id}};
}

} // namespace agentd::session
