#include "model/pool.hpp"

#include "base/limits.hpp"

#include <algorithm>

namespace agentd::model {

struct pool::state {
    state(const aio::executor& strand, std::chrono::milliseconds k) : keep(k), sweeping(strand) {}

    struct entry {
        connection_ptr idle;
        base::mono_time since;
    };

    void drop_old()
    {
        const auto now = base::mono_now();
        std::erase_if(
            entries, [now, limit = keep](const entry& e) { return now - e.since >= limit; });
    }

    std::chrono::milliseconds keep;
    std::vector<entry> entries; // oldest first
    boost::asio::steady_timer sweeping;
    bool is_sweeping = false;
};

namespace {

// Closes what has waited too long and comes back for the rest. No coroutine: it holds nothing
// but a weak reference and needs no owner to join it.
template <class State>
void sweep_later(const std::shared_ptr<State>& pool)
{
    if (pool->entries.empty() || pool->is_sweeping)
        return;
    pool->is_sweeping = true;
    pool->sweeping.expires_at(pool->entries.front().since + pool->keep);
    pool->sweeping.async_wait(
        [weak = std::weak_ptr<State>{pool}](const boost::system::error_code&) {
            const auto alive = weak.lock();
            if (!alive)
                return;
            alive->is_sweeping = false;
            alive->drop_old();
            sweep_later(alive);
        });
}

} // namespace

pool::pool(const aio::executor& strand, std::chrono::milliseconds keep)
    : state_(std::make_shared<state>(strand, keep))
{}

pool::~pool() = default;

connection_ptr pool::take()
{
    state_->drop_old();
    while (!state_->entries.empty()) {
        auto newest = std::move(state_->entries.back().idle);
        state_->entries.pop_back();
        if (newest->is_quiet())
            return newest;
    }
    return nullptr;
}

void pool::put(connection_ptr unused)
{
    if (state_->entries.size() >= limits::idle_connections)
        state_->entries.erase(state_->entries.begin());
    state_->entries.emplace_back(std::move(unused), base::mono_now());
    sweep_later(state_);
}

std::size_t pool::size() const
{
    return state_->entries.size();
}

} // namespace agentd::model
