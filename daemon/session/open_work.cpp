#include "session/open_work.hpp"

#include "aio/blocking_pool.hpp"
#include "base/log.hpp"
#include "proto/messages/encode.hpp"
#include "session/commit.hpp"
#include "tools/command_environment.hpp"

#include <algorithm>

namespace agentd::session {

namespace {

bool is_told(const steps::opened_task& open)
{
    return std::ranges::any_of(
        open.history, [&open](const auto& row) { return row.shown.task_id == open.task.shown.id; });
}

base::task_id last_task(const steps::opened_task& open)
{
    return open.history.empty() ? open.task.shown.id : open.history.back().shown.task_id;
}

context_window::rules window_rules(const settings& now)
{
    const auto tokens = now.context_window > 0 ? now.context_window : limits::context_window;
    return {tokens, now.compact_at, now.max_tokens};
}

} // namespace

open_work::open_work(session& owner, steps::opened_task what, scheduler::place place)
    : owner_(owner),
      shared_(owner.shared_),
      settings_(shared_.now.get()),
      opened_(std::move(what)),
      task_(opened_.task),
      place_(std::move(place)),
      prompt_told_(is_told(opened_)),
      last_task_(last_task(opened_)),
      history_(std::move(opened_.epoch), std::exchange(opened_.history, {})),
      loop_({task_.shown.jobs_at_end, task_.max_turns, task_.shown.turns}),
      window_(window_rules(*settings_), opened_.session.context_tokens),
      commands_(owner.strand_, shared_.jobs, owner.id_),
      asking_(owner.strand_),
      running_calls_(owner.strand_),
      timers_(owner.strand_)
{}

open_work::~open_work() = default;

const std::string& open_work::tool_set(environment& shared)
{
    return shared.tools.definitions();
}

std::chrono::milliseconds open_work::elapsed() const
{
    return std::chrono::milliseconds{task_.elapsed_ms} + base::elapsed_since(began_);
}

aio::awaitable<> open_work::run()
{
    log::info("task.started", {owner_.id_.str(), task_.shown.id.str()}, "task {}",
        opened_.resumed ? "goes on" : "started");
    std::string broken;
    try {
        co_await work();
    } catch (const broken_step& why) {
        broken = why.what();
    }
    if (!broken.empty())
        co_await give_up(std::move(broken));
    owner_.inbox_.drop_messages();
    timers_.cancel();
    co_await timers_.join();
}

aio::awaitable<> open_work::work()
{
    auto first = co_await prepare();
    co_await tell(std::move(first));
    while (!loop_.is_over() && !owner_.stopping_) {
        auto next = co_await owner_.next();
        co_await take(std::move(next));
    }
    if (!loop_.is_over()) {
        co_await stop_running("agentd was stopped while this ran; it may have had effects");
        auto keep = [id = task_.shown.id, ms = elapsed().count()](store::connection& db) {
            store::tasks::set_elapsed(db, id, ms);
            store::tasks::set_at_work(db, id, false);
        };
        co_await commit(shared_, store::step::wait_for_jobs, std::move(keep));
    }
}

aio::awaitable<event> open_work::prepare()
{
    if (task_.timeout_s > 0) {
        const auto left = std::chrono::seconds{task_.timeout_s} - elapsed();
        timers_.spawn("timeout", watch_time(std::max(std::chrono::milliseconds{0}, left)));
    }
    if (opened_.task.shown.cancel_requested)
        co_return happened::stop{cancelled_by_user()};
    auto open = [path = opened_.session.shown.workdir] { return tools::workspace::open(path); };
    auto files = co_await shared_.blocking.run(std::move(open));
    if (!files)
        co_return happened::stop{failed_as("workspace", std::move(files.error().text))};
    files_.emplace(std::move(*files));
    co_await owner_.jobs_.open_account();
    const auto env = shared_.commands.of(owner_.id_, task_.shown.id, task_.env);
    context_.emplace(tools::context{*files_, shared_.policy, commands_, owner_.jobs_,
        shared_.blocking, env, settings_->job_timeout});
    owner_.jobs_.begin_task({task_.shown.id, task_.shown.owner_uid, files_->fd(), env});
    receive(std::move(opened_.news));
    take_over(std::move(opened_.carried));
    for (auto& row : opened_.calls)
        calls_.push_back({std::move(row), {}, false, {}});
    if (!calls_.empty()) {
        std::string no_reason;
        co_await refuse_open_calls(std::move(no_reason));
        collect_results();
    }
    co_return beginning();
}

void open_work::receive(std::vector<steps::waiting_news> news)
{
    for (auto& one : news) {
        if (one.job)
            owner_.inbox_.push(one.id, std::move(*one.job));
        else
            owner_.inbox_.push(one.id, std::move(one.text));
    }
}

// What is added to the message goes into the same element, so that there is one in a request.
void open_work::take_over(std::vector<steps::waiting_news> carried)
{
    std::vector<job_news> jobs;
    for (const auto& one : carried)
        if (one.job)
            jobs.push_back(*one.job);
    // One of another version's making stays, and is delivered, as it is; a second one waits.
    sealed_ = !jobs.empty() && !history_.knows_background(background_results(jobs));
    carried_ = std::move(carried);
}

happened::begun open_work::beginning() const
{
    happened::begun begun;
    begun.spent = spent_by({}, 0);
    // Else it has got no reply yet, or its results or a message are there to be answered.
    if (task_.shown.stop_reason.empty() || !history_.pending().empty() || !prompt_told_)
        return begun;
    const auto last = [this](model::stop_reason why) {
        return task_.shown.stop_reason == to_string(why);
    };
    begun.empty = !history_.ends_with_assistant();
    begun.paused = !begun.empty && last(model::stop_reason::pause_turn);
    begun.cut =
        last(model::stop_reason::max_tokens) || last(model::stop_reason::context_window_exceeded);
    begun.done = !begun.empty && !begun.paused && !begun.cut && owner_.inbox_.empty();
    return begun;
}

aio::awaitable<> open_work::tell(event what)
{
    co_await obey(loop_.on(what));
}

aio::awaitable<> open_work::obey(std::vector<action> actions)
{
    std::deque<action> left{
        std::make_move_iterator(actions.begin()), std::make_move_iterator(actions.end())};
    while (!left.empty()) {
        auto next = std::move(left.front());
        left.pop_front();
        auto follows = co_await perform(std::move(next));
        if (!follows)
            continue;
        for (auto& more : loop_.on(*follows))
            left.push_back(std::move(more));
    }
}

aio::awaitable<std::optional<event>> open_work::perform(action what)
{
    return std::visit([this](auto& chosen) { return run(std::move(chosen)); }, what);
}

aio::awaitable<> open_work::take(incoming what)
{
    if (owner_.took_care(what) || owner_.stopping_)
        co_return;
    auto news = co_await news_of(std::move(what));
    if (news)
        co_await tell(std::move(*news));
}

aio::awaitable<std::optional<event>> open_work::news_of(incoming what)
{
    const auto is_current = [this](std::uint64_t step) { return step == step_; };
    const auto& id = task_.shown.id;
    if (const auto* cancel = std::get_if<signal::cancel>(&what); cancel && cancel->task == id)
        co_return happened::stop{cancelled_by_user()};
    if (auto* message = std::get_if<signal::message>(&what); message && message->task == id) {
        // One that was read from the store before its signal came is no news: nothing wakes for it.
        const bool is_new = owner_.inbox_.push(message->notification, std::move(message->text));
        owner_.jobs_.message_came();
        if (!is_new)
            co_return std::nullopt;
        co_return happened::user_message{};
    }
    if (const auto* ended = std::get_if<report::job_ended>(&what)) {
        if (ended->of == id && !ended->broken.empty()) // the store has it running for ever
            throw broken_step{ended->broken};
        co_return happened::job_ended{ended->of == id, owner_.jobs_.count(id)};
    }
    if (const auto* stalled = std::get_if<report::job_stalled>(&what))
        co_return happened::job_stalled{stalled->of == id};
    if (auto* reply = std::get_if<report::model_answered>(&what); reply && is_current(reply->step))
        co_return co_await answered(std::move(reply->outcome));
    if (const auto* told = std::get_if<report::window_told>(&what); told && is_current(told->step))
        co_return co_await window_told(told->tokens);
    if (auto* retry = std::get_if<report::model_retries>(&what)) {
        auto note = [e = std::move(retry->event)](store::connection& db) { db.append_event(e); };
        co_await commit(shared_, store::step::daemon_event, std::move(note));
    }
    if (const auto* call = std::get_if<report::call_ended>(&what); call && is_current(call->step)) {
        plan_->ended(call->call);
        co_return co_await start_calls();
    }
    if (auto* free = std::get_if<report::place_free>(&what); free && is_current(free->step)) {
        place_ = std::move(free->place);
        auto wake = [task = task_](store::connection& db) { steps::end_waiting(db, task); };
        co_await commit(shared_, store::step::wake_task, std::move(wake));
        co_return happened::place_taken{};
    }
    if (const auto* window = std::get_if<report::window_over>(&what);
        window && is_current(window->step))
        co_return happened::window_over{};
    if (const auto* broken = std::get_if<report::step_broken>(&what))
        throw broken_step{broken->text};
    if (std::holds_alternative<report::time_over>(what))
        co_return happened::stop{failed_as("timeout", "the task's time is over")};
    co_return std::nullopt;
}

} // namespace agentd::session
