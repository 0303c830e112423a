#include "session/scheduler.hpp"

#include "aio/flag.hpp"
#include "base/at_exit.hpp"
#include "session/turn_order.hpp"

#include <boost/asio/post.hpp>

#include <map>

namespace agentd::session {

struct scheduler::state {
    state(const aio::executor& io, std::size_t places) : strand(aio::make_strand(io)), free(places)
    {}

    // Gives out free places in turn.
    void serve()
    {
        while (free > 0) {
            const auto who = order.next();
            if (!who)
                return;
            --free;
            waiting.at(who->id)->raise();
        }
    }
    void give_back()
    {
        ++free;
        serve();
    }

    aio::executor strand;
    std::size_t free;
    std::uint64_t last_id = 0;
    turn_order order;
    std::map<std::uint64_t, aio::flag*> waiting; // flags are locals of the waiting coroutines
};

scheduler::place& scheduler::place::operator=(place&& other) noexcept
{
    release();
    held_ = std::move(other.held_);
    return *this;
}

scheduler::scheduler(const aio::executor& io, std::size_t places)
    : state_(std::make_shared<state>(io, places))
{}

scheduler::~scheduler() = default;

aio::awaitable<scheduler::place> scheduler::enter(wish what)
{
    const auto shared = state_;
    auto wait = [](std::shared_ptr<state> s, wish w) -> aio::awaitable<std::shared_ptr<void>> {
        aio::flag granted{s->strand};
        const auto id = ++s->last_id;
        s->waiting.emplace(id, &granted);
        s->order.add({id, w.owner, w.priority, w.woken});
        bool taken = false;
        auto leave = [s, id, &taken] {
            s->waiting.erase(id);
            // Cancelled in the moment of being served: the place goes to the next one.
            if (!s->order.remove(id) && !taken)
                s->give_back();
        };
        const base::at_exit guard{leave}; // however the wait ends
        s->serve();
        co_await granted.wait();
        taken = true;
        co_return std::shared_ptr<void>{
            s.get(), [s](void*) { boost::asio::post(s->strand, [s] { s->give_back(); }); }};
    };
    auto held = co_await aio::on(shared->strand, wait(shared, what));
    co_return place{std::move(held)};
}

} // namespace agentd::session
