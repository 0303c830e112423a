#include "session/session.hpp"

#include "base/log.hpp"
#include "session/commit.hpp"
#include "session/open_work.hpp"

#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <type_traits>

namespace agentd::session {
namespace {

// What makes a signal the same as another one; empty: each counts.
std::string meaning_of(const incoming& what)
{
    if (std::holds_alternative<signal::look_for_work>(what))
        return "look for work";
    if (const auto* cancel = std::get_if<signal::cancel>(&what))
        return "cancel " + cancel->task.str();
    if (const auto* kill = std::get_if<signal::kill_job>(&what))
        return "kill " + kill->job.str();
    return {};
}

} // namespace

session::session(environment& shared, base::session_id id, aio::executor strand)
    : shared_(shared),
      id_(std::move(id)),
      strand_(strand),
      arrivals_(strand, limits::session_signals),
      jobs_(
          shared, id_, strand, inbox_,
          [this](const base::task_id& of, std::string broken) {
              put(report::job_ended{of, std::move(broken)});
          },
          [this](const base::task_id& of) { put(report::job_stalled{of}); })
{}

session::~session() = default;

void session::post(std::shared_ptr<session> self, incoming what)
{
    const auto strand = self->strand_;
    boost::asio::post(strand, [self = std::move(self), what = std::move(what)]() mutable {
        ++self->seen_;
        // At once, since the session may be waiting for a disk that fails.
        if (const auto* cancel = std::get_if<signal::cancel>(&what))
            self->jobs_.ask_to_end(cancel->task, jobs::stopped_by::user);
        else if (const auto* kill = std::get_if<signal::kill_job>(&what))
            self->jobs_.ask_to_end(kill->job, jobs::stopped_by::user);
        const auto meaning = meaning_of(what);
        // Clients may say the same thing any number of times; the mailbox is bounded.
        if (meaning.empty() || self->said_.insert(meaning).second)
            self->put(std::move(what));
    });
}

aio::awaitable<incoming> session::next()
{
    auto what = co_await arrivals_.pop();
    said_.erase(meaning_of(what));
    co_return what;
}

void session::put(incoming what)
{
    if (!arrivals_.push(std::move(what)))
        log::error(
            "session.flooded", {id_.str()}, "a signal to the session is lost: its mailbox is full");
}

bool session::took_care(const incoming& what)
{
    if (const auto* kill = std::get_if<signal::kill_job>(&what)) {
        jobs_.ask_to_end(kill->job, jobs::stopped_by::user);
        return true;
    }
    if (std::holds_alternative<signal::shut_down>(what)) {
        stopping_ = true;
        jobs_.close();
        jobs_.ask_to_end(base::task_id{}, jobs::stopped_by::shutdown);
    }
    return false;
}

aio::awaitable<> session::run(retire may_go)
{
    while (!stopping_) {
        const auto seen = seen_;
        const bool worked = co_await work();
        if (worked || stopping_)
            continue;
        if (jobs_.count() == 0 && arrivals_.empty()) {
            const bool gone = co_await may_go(seen);
            if (gone)
                break;
            if (seen != seen_)
                continue; // signals were taken while it looked for work: ask again
        }
        co_await rest();
    }
    const base::task_id any;
    co_await jobs_.wait_for_end(any);
    co_await jobs_.join();
}

aio::awaitable<> session::rest()
{
    for (;;) {
        const auto what = co_await next();
        took_care(what);
        if (stopping_ || std::holds_alternative<signal::look_for_work>(what))
            co_return;
        if (std::holds_alternative<report::job_ended>(what) && jobs_.count() == 0)
            co_return;
    }
}

aio::awaitable<std::optional<scheduler::wish>> session::next_wish()
{
    auto work = [id = id_](store::connection& db) -> std::optional<scheduler::wish> {
        auto task = store::tasks::open_of(db, id);
        const bool woken = task.has_value();
        if (!task)
            task = store::tasks::next_queued(db, id);
        if (!task)
            return std::nullopt;
        return scheduler::wish{task->shown.owner_uid, task->shown.priority, woken};
    };
    co_return co_await commit_read(shared_, std::move(work));
}

aio::awaitable<std::optional<scheduler::place>> session::take_turn(scheduler::wish what)
{
    aio::task asking{strand_};
    auto ask = [](session* self, scheduler::wish w) -> aio::awaitable<> {
        report::place_free granted;
        auto place = co_await self->shared_.places.enter(w);
        granted.place = std::move(place);
        self->put(std::move(granted));
    };
    asking.start("place", ask(this, what));
    std::optional<scheduler::place> place;
    while (!place && !stopping_) {
        auto came = co_await next();
        took_care(came);
        if (auto* granted = std::get_if<report::place_free>(&came))
            place = std::move(granted->place);
    }
    asking.cancel();
    co_await asking.join();
    co_return place;
}

aio::awaitable<bool> session::work()
{
    const auto wish = co_await next_wish();
    if (!wish)
        co_return false;
    auto place = co_await take_turn(*wish);
    if (!place)
        co_return false;
    auto take = [id = id_](store::connection& db) { steps::take_up(db, id); };
    auto open = [id = id_, &tools = open_work::tool_set(shared_)](
                    store::connection& db) { return steps::open_task(db, id, tools); };
    std::optional<steps::opened_task> task;
    std::string broken;
    try {
        // On its own: reading the task may be what ends the daemon.
        co_await commit(shared_, store::step::take_up_task, std::move(take));
        auto opened = co_await commit(shared_, store::step::start_task, std::move(open));
        task = std::move(opened);
    } catch (const broken_step& why) {
        broken = why.what();
    }
    if (!broken.empty()) {
        log::error("task.broken", {id_.str()}, "cannot begin: {}", broken);
        auto fail = [id = id_, how = failed_as("internal", broken)](
                        store::connection& db) { return steps::fail_next(db, id, how); };
        co_return co_await commit(shared_, store::step::finish_task, std::move(fail));
    }
    if (!task)
        co_return false; // cancelled while it waited
    open_ = std::make_unique<open_work>(*this, std::move(*task), std::move(*place));
    co_await open_->run();
    open_.reset();
    co_return true;
}

} // namespace agentd::session
