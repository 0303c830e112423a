#include "aio/task_group.hpp"

#include "base/log.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <cassert>
#include <list>

namespace agentd::aio {
namespace {

// One running coroutine. Its signal is emitted on the executor it runs on.
struct running_task {
    running_task(std::string n, executor w) : name(std::move(n)), where(std::move(w)) {}

    std::string name;
    executor where;
    asio::cancellation_signal signal;
};

void report_escape(const std::string& name, const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& e) {
        if (e.code() != asio::error::operation_aborted) // cancellation is no failure
            log::error("task.failed", {}, "{} ended: {}", name, e.what());
    } catch (const std::exception& e) {
        log::error("task.failed", {}, "{} ended: {}", name, e.what());
    } catch (...) {
        log::error("task.failed", {}, "{} ended by an unknown exception", name);
    }
}

} // namespace

struct task_group::state {
    explicit state(executor s) : strand(std::move(s)), joined(strand) {}

    executor strand;
    std::list<std::shared_ptr<running_task>> running;
    asio::steady_timer joined; // never expires; cancelled when nothing runs any more
};

task_group::task_group(executor strand) : state_(std::make_shared<state>(std::move(strand))) {}

task_group::~task_group()
{
    assert(state_->running.empty() && "a task group is joined before it dies");
}

void task_group::spawn(std::string name, awaitable<> work)
{
    spawn_on(state_->strand, std::move(name), std::move(work));
}

void task_group::spawn_on(executor where, std::string name, awaitable<> work)
{
    auto entry = std::make_shared<running_task>(std::move(name), where);
    const auto place = state_->running.insert(state_->running.end(), entry);
    auto ended = [group = state_, entry, place](const std::exception_ptr& failure) {
        if (failure)
            report_escape(entry->name, failure);
        group->running.erase(place);
        if (group->running.empty())
            group->joined.cancel();
    };
    asio::co_spawn(where, std::move(work),
        asio::bind_cancellation_slot(
            entry->signal.slot(), asio::bind_executor(state_->strand, std::move(ended))));
}

void task_group::cancel()
{
    // Posted, so that a coroutine that is still to begin has done so: Asio's entry point of one
    // that was cancelled before, and ends without ever waiting, awaits a post of its own outside
    // of any try (1.81 and 1.83, impl/co_spawn.hpp); that throws and would end the program.
    for (const auto& entry : state_->running)
        asio::post(
            entry->where, [entry] { entry->signal.emit(asio::cancellation_type::terminal); });
}

awaitable<> task_group::join()
{
    const auto group = state_;
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!group->running.empty()) {
        // Several may join at once on the one timer: it is set to "never" once.
        if (group->joined.expiry() != asio::steady_timer::time_point::max())
            group->joined.expires_at(asio::steady_timer::time_point::max());
        boost::system::error_code woken;
        co_await group->joined.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
}

std::size_t task_group::size() const
{
    return state_->running.size();
}

} // namespace agentd::aio
