// See bell.hpp.
#include "bell.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace agentd::testing {

void bell::ring()
{
    std::vector<std::weak_ptr<asio::steady_timer>> all;
    {
        std::lock_guard lock{mutex_};
        all.swap(waiting_);
    }
    for (const auto& weak : all)
        if (auto timer = weak.lock()) {
            auto executor = timer->get_executor();
            // An expiry in the past also ends a wait that has not begun yet.
            asio::post(executor, [timer = std::move(timer)] {
                timer->expires_at(asio::steady_timer::time_point::min());
            });
        }
}

void bell::join(const std::shared_ptr<asio::steady_timer>& timer)
{
    std::lock_guard lock{mutex_};
    std::erase_if(waiting_, [](const auto& weak) { return weak.expired(); });
    waiting_.push_back(timer);
}

asio::awaitable<bool> bell::wait_until(byte_stream& client, std::function<bool()> ready,
    std::chrono::steady_clock::time_point deadline)
{
    for (;;) {
        auto timer = std::make_shared<asio::steady_timer>(client.socket().get_executor(), deadline);
        join(timer); // before the look: a ring after it ends the wait below
        if (ready())
            co_return true;
        if (std::chrono::steady_clock::now() >= deadline)
            co_return false;
        auto here = co_await client.stays_until(*timer);
        if (!here)
            co_return false;
    }
}

void holds::release(const std::string& name)
{
    {
        std::lock_guard lock{mutex_};
        gates_[name].open = true;
    }
    released_.ring();
}

bool holds::released(const std::string& name) const
{
    std::lock_guard lock{mutex_};
    auto found = gates_.find(name);
    return found != gates_.end() && found->second.open;
}

std::size_t holds::held(const std::string& name) const
{
    std::lock_guard lock{mutex_};
    auto found = gates_.find(name);
    return found == gates_.end() ? 0 : found->second.held;
}

std::map<std::string, std::size_t> holds::all_held() const
{
    std::map<std::string, std::size_t> out;
    std::lock_guard lock{mutex_};
    for (const auto& [name, at] : gates_)
        if (at.held > 0)
            out.emplace(name, at.held);
    return out;
}

void holds::count(const std::string& name, int by)
{
    {
        std::lock_guard lock{mutex_};
        auto& held = gates_[name].held;
        held = by > 0 ? held + 1 : held - 1;
    }
    changed_();
}

asio::awaitable<bool> holds::pass(byte_stream& client, std::string name)
{
    count(name, +1);
    std::function<bool()> open = [this, name] { return released(name); };
    auto forever = std::chrono::steady_clock::time_point::max();
    auto passed = co_await released_.wait_until(client, std::move(open), forever);
    count(name, -1);
    co_return passed;
}

} // namespace agentd::testing
