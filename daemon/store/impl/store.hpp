// The templates of store/store.hpp: how a work becomes a unit on the store's threads and its
// value comes back to the coroutine that waits for it.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace agentd::store {

// A work and whom to tell. Runs on the store's thread; the handler on its own executor, which
// the guard keeps from running out of work meanwhile.
template <class Work, class Handler>
class waiting_unit final : public unit_of_work {
public:
    using value_type = work_result<Work>;

    waiting_unit(Work work, Handler handler)
        : work_(std::move(work)),
          guard_(aio::asio::make_work_guard(handler)),
          handler_(std::move(handler))
    {}

    bool run(connection& db) override
    {
        if constexpr (std::is_void_v<std::invoke_result_t<Work&, connection&>>) {
            work_(db);
            value_.emplace();
        } else {
            value_.emplace(work_(db));
        }
        return value_->has_value();
    }

    void complete() override { deliver(std::move(*value_)); }

    void fail(base::error why) override { deliver(std::unexpected(std::move(why))); }

private:
    // Always by post: a refused unit fails inside the call that hands it in. The guard goes
    // along, so that the unit keeps nothing of the caller's executor.
    void deliver(value_type outcome)
    {
        const auto home = guard_.get_executor();
        aio::asio::post(home,
            [handler = std::move(handler_), outcome = std::move(outcome),
                guard = std::move(guard_)]() mutable { std::move(handler)(std::move(outcome)); });
    }

    Work work_;
    decltype(aio::asio::make_work_guard(std::declval<Handler&>())) guard_;
    Handler handler_;
    std::optional<value_type> value_;
};

template <class Work>
struct store::start_write {
    store* self;
    step name;
    durability keep;

    template <class Handler>
    void operator()(Handler handler, Work work) const
    {
        self->push_write(name, keep,
            std::make_unique<waiting_unit<Work, Handler>>(std::move(work), std::move(handler)));
    }
};

template <class Work>
struct store::start_read {
    store* self;

    template <class Handler>
    void operator()(Handler handler, Work work) const
    {
        self->push_read(
            std::make_unique<waiting_unit<Work, Handler>>(std::move(work), std::move(handler)));
    }
};

template <class Work>
aio::awaitable<work_result<Work>> store::write(step name, durability keep, Work work)
{
    auto started =
        aio::asio::async_initiate<const aio::asio::use_awaitable_t<>&, void(work_result<Work>)>(
            start_write<Work>{this, name, keep}, aio::asio::use_awaitable, std::move(work));
    co_return co_await std::move(started);
}

template <class Work>
aio::awaitable<work_result<Work>> store::read(Work work)
{
    auto started =
        aio::asio::async_initiate<const aio::asio::use_awaitable_t<>&, void(work_result<Work>)>(
            start_read<Work>{this}, aio::asio::use_awaitable, std::move(work));
    co_return co_await std::move(started);
}

} // namespace agentd::store
