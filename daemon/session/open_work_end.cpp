// open_work: settling, waiting, stopping and ending. On the session's strand.
#include "base/log.hpp"
#include "proto/messages/encode.hpp"
#include "session/commit.hpp"
#include "session/open_work.hpp"

namespace agentd::session {
namespace {

using proto::api::task_state;

jobs::stopped_by stopped_by_end(const ending& how)
{
    return how.state == task_state::cancelled ? jobs::stopped_by::user : jobs::stopped_by::task_end;
}

} // namespace

std::optional<event> open_work::internal_error(std::string text)
{
    log::error("task.broken", {owner_.id_.str(), task_.shown.id.str()}, "cannot go on: {}", text);
    return happened::request_failed{
        {task_state::failed, "internal", std::move(text), std::nullopt, {}}};
}

// What runs is ended, and the task with it, by as little as that takes.
aio::awaitable<> open_work::give_up(std::string text)
{
    log::error("task.broken", {owner_.id_.str(), task_.shown.id.str()}, "cannot go on: {}", text);
    const auto how = failed_as("internal", std::move(text));
    co_await stop_running("the task has ended: internal");
    if (task_.shown.jobs_at_end != proto::api::jobs_at_end::detach) {
        owner_.jobs_.ask_to_end(task_.shown.id, jobs::stopped_by::task_end);
        co_await owner_.jobs_.wait_for_end(task_.shown.id);
    }
    steps::abandoned end;
    end.how = how;
    end.pending_seq = history_.pending_seq();
    if (prompt_told_ && end.pending_seq != 0) {
        history_.add_text(note_about(how));
        end.pending = history_.pending();
    }
    bool ended = false;
    try {
        auto finish = [task = task_, end](
                          store::connection& db) { return steps::finish_task(db, task, end); };
        co_await commit(shared_, store::step::finish_task, std::move(finish));
        ended = true;
    } catch (const broken_step&) {
        log::warning("task.broken", {owner_.id_.str()}, "the note about it cannot be stored");
    }
    if (ended)
        co_return;
    auto fail = [id = owner_.id_, how](
                    store::connection& db) { return steps::fail_next(db, id, how); };
    co_await commit(shared_, store::step::finish_task, std::move(fail));
}

aio::awaitable<std::optional<event>> open_work::run(todo::settle)
{
    auto check = [task = task_](store::connection& db) { return steps::settle(db, task); };
    const auto settled = co_await commit(shared_, store::step::finish_task, std::move(check));
    if (settled.outcome == happened::settled::found::news && owner_.inbox_.empty())
        co_await fetch_news(); // stored by somebody whose signal is still under way
    co_return settled;
}

aio::awaitable<> open_work::fetch_news()
{
    auto find = [task = task_.shown](
                    store::connection& db) { return steps::news_of(db, task.session_id, task.id); };
    auto news = co_await commit_read(shared_, std::move(find));
    receive(std::move(news));
}

aio::awaitable<std::optional<event>> open_work::run(todo::wait)
{
    auto wait = [task = task_](store::connection& db) { steps::begin_waiting(db, task); };
    co_await commit(shared_, store::step::wait_for_jobs, std::move(wait));
    place_ = {};
    co_return std::nullopt;
}

aio::awaitable<std::optional<event>> open_work::run(todo::open_window)
{
    timers_.spawn("wake window", wait_window(++step_));
    co_return std::nullopt;
}

aio::awaitable<> open_work::wait_window(std::uint64_t step)
{
    co_await aio::sleep_for(settings_->wake_window);
    owner_.put(report::window_over{step});
}

aio::awaitable<std::optional<event>> open_work::run(todo::take_place)
{
    asking_.start("place", wait_for_place(++step_));
    co_return std::nullopt;
}

aio::awaitable<> open_work::wait_for_place(std::uint64_t step)
{
    const scheduler::wish wish{task_.shown.owner_uid, task_.shown.priority, true};
    report::place_free granted;
    granted.step = step;
    auto place = co_await shared_.places.enter(wish);
    granted.place = std::move(place);
    owner_.put(std::move(granted));
}

aio::awaitable<> open_work::watch_time(std::chrono::milliseconds left)
{
    co_await aio::sleep_for(left);
    owner_.put(report::time_over{});
}

aio::awaitable<> open_work::stop_running(std::string reason)
{
    stop_text_ = std::move(reason);
    asking_.cancel();
    running_calls_.cancel();
    co_await asking_.join();
    co_await running_calls_.join();
    ++step_; // what they have handed in is stale now
}

aio::awaitable<std::optional<event>> open_work::run(todo::abort)
{
    const bool by_user = loop_.why().state == task_state::cancelled;
    const std::string reason =
        by_user ? "cancelled by the user" : "the task has ended: " + loop_.why().type;
    co_await stop_running(reason);
    if (!calls_.empty()) {
        co_await refuse_open_calls(reason);
        collect_results();
    }
    co_return happened::aborted{};
}

aio::awaitable<std::optional<event>> open_work::run(todo::stop_jobs)
{
    owner_.jobs_.ask_to_end(task_.shown.id, stopped_by_end(loop_.why()));
    co_await owner_.jobs_.wait_for_end(task_.shown.id);
    co_return happened::jobs_stopped{};
}

aio::awaitable<std::optional<event>> open_work::run(todo::finish how)
{
    steps::abandoned end;
    end.refused = how.how.type == "refusal";
    end.epoch = history_.epoch().number;
    end.pending_seq = history_.pending_seq();
    if (end.refused)
        end.replacement = replacement_of_refused();
    // What was not told of this task needs no taking back.
    if (prompt_told_ && !history_.pending().empty() && !end.refused) {
        history_.add_text(note_about(how.how));
        end.pending = history_.pending();
    }
    log::info("task.finished", {owner_.id_.str(), task_.shown.id.str()}, "task ended: {}{}{}",
        to_string(how.how.state), how.how.type.empty() ? "" : ", ", how.how.type);
    end.how = std::move(how.how);
    auto finish = [task = task_, end](
                      store::connection& db) { return steps::finish_task(db, task, end); };
    const auto again = co_await commit(shared_, store::step::finish_task, std::move(finish));
    owner_.inbox_.forget(again);
    place_ = {};
    co_return std::nullopt;
}

std::string open_work::replacement_of_refused() const
{
    // The summary of all that was before goes on; it is the first block of its message.
    if (history_.epoch().first_seq != 0 && history_.messages().empty())
        return proto::messages::first_block(history_.pending());
    if (!proto::messages::has_tool_result(history_.pending()))
        return {};
    std::vector<std::string> results;
    for (const auto& id : history_.asked_calls())
        results.push_back(proto::messages::tool_result_block(id,
            "Error: this result was left out, because the model refused to go on with it", true));
    return proto::messages::content_of(results);
}

} // namespace agentd::session
