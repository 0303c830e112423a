#include "session/registry.hpp"

#include "base/at_exit.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace agentd::session {

registry::registry(environment& shared)
    : shared_(shared), strand_(aio::make_strand(shared.io)), running_(strand_)
{}

void registry::signal(const base::session_id& id, incoming what)
{
    boost::asio::post(
        strand_, [this, id, what = std::move(what)]() mutable { deliver(id, std::move(what)); });
}

void registry::hold_back(const base::session_id& id)
{
    boost::asio::post(strand_, [this, id] { held_.insert(id); });
}

void registry::release(const base::session_id& id)
{
    boost::asio::post(strand_, [this, id] {
        held_.erase(id);
        deliver(id, signal::look_for_work{});
    });
}

void registry::deliver(const base::session_id& id, incoming what)
{
    auto found = live_.find(id);
    if (found == live_.end()) {
        const bool makes = std::holds_alternative<signal::look_for_work>(what) ||
            std::holds_alternative<signal::kill_job>(what);
        if (stopping_ || held_.contains(id) || !makes)
            return;
        auto strand = aio::make_strand(shared_.io);
        auto fresh = std::make_shared<session>(shared_, id, strand);
        found = live_.emplace(id, entry{fresh, 0}).first;
        running_.spawn_on(strand, "session " + id.str(), keep(fresh));
    }
    ++found->second.signals;
    session::post(found->second.live, std::move(what));
}

aio::awaitable<> registry::keep(std::shared_ptr<session> what)
{
    const auto id = what->id();
    auto may_go = [this, id](std::uint64_t seen) { return retire(id, seen); };
    // Shut down, or ended by an exception: nobody asked whether it may go. (Retired: it is not
    // there any more.)
    auto leave = [this, what] { drop(what); };
    const base::at_exit forgotten{leave};
    co_await what->run(may_go);
}

void registry::drop(const std::shared_ptr<session>& what)
{
    boost::asio::post(strand_, [this, what] {
        if (const auto found = live_.find(what->id());
            found != live_.end() && found->second.live == what)
            live_.erase(found);
    });
}

aio::awaitable<bool> registry::retire(base::session_id id, std::uint64_t seen)
{
    auto gone = co_await aio::on(strand_, forget(id, seen));
    co_return gone;
}

aio::awaitable<bool> registry::forget(base::session_id id, std::uint64_t seen)
{
    const auto found = live_.find(id);
    if (found == live_.end() || found->second.signals != seen)
        co_return false; // something is under way to it
    live_.erase(found);
    co_return true;
}

aio::awaitable<> registry::shut_down()
{
    co_await aio::on(strand_, end_all());
}

aio::awaitable<> registry::end_all()
{
    stopping_ = true;
    for (auto& [id, one] : live_) {
        ++one.signals;
        session::post(one.live, signal::shut_down{});
    }
    co_await running_.join();
}

aio::awaitable<std::size_t> registry::count_live()
{
    auto counted = co_await aio::on(strand_, size());
    co_return counted;
}

aio::awaitable<std::size_t> registry::size() const
{
    co_return live_.size();
}

} // namespace agentd::session
