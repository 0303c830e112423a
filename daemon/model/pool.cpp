#include "model/pool.hpp"

#include "base/limits.hpp"

#include <algorithm>

namespace agentd::model {

struct pool::state {
    state(const aio::executor& strand, std::chrono::milliseconds k) : keep(k), sweeping(strand) {}

    struct entry {
        connection_ptr idle;
        base::mono_time until;
    };

    void drop_old()
    {
        const auto now = base::mono_now();
        std::erase_if(entries, [now](const entry& e) { return now >= e.until; });
    }

    // The server may end it at its own time, and a request could cross that end: a little
    // before, as long as that is no more than half of it.
    [[nodiscard]] std::chrono::milliseconds kept_for(const connection& idle) const
    {
        if (!idle.server_keeps)
            return keep;
        const std::chrono::milliseconds its = *idle.server_keeps;
        return std::min(keep, its - std::min(its / 2, limits::server_end_margin));
    }

    std::chrono::milliseconds keep;
    std::vector<entry> entries; // the one used last is the last
    boost::asio::steady_timer sweeping;
    bool is_sweeping = false;
};

namespace {

// Closes what has waited too long and comes back for the rest; where it was about to come later
// than the first of them wants, it comes earlier. No coroutine: it holds nothing but a weak
// reference and needs no owner to join it.
template <class State>
void sweep_later(const std::shared_ptr<State>& pool)
{
    if (pool->entries.empty())
        return;
    const auto first = std::ranges::min_element(pool->entries, {}, &State::entry::until)->until;
    if (pool->is_sweeping && pool->sweeping.expiry() <= first)
        return;
    pool->is_sweeping = true;
    pool->sweeping.expires_at(first);
    pool->sweeping.async_wait(
        [weak = std::weak_ptr<State>{pool}](const boost::system::error_code& replaced) {
            const auto alive = weak.lock();
            if (!alive || replaced)
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
    const auto until = base::mono_now() + state_->kept_for(*unused);
    state_->entries.emplace_back(std::move(unused), until);
    sweep_later(state_);
}

} // namespace agentd::model
