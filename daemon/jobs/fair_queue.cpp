#include "jobs/fair_queue.hpp"

#include <algorithm>

namespace agentd::jobs {

fair_queue::entry fair_queue::enter(const base::session_id& session, ticket who)
{
    auto& own = lanes_[session];
    if (running_ < limits_.per_daemon && own.running < limits_.per_session) {
        ++own.running;
        ++running_;
        return entry::granted;
    }
    if (own.waiting.size() >= limits_.queued_per_session)
        return entry::refused;
    if (own.waiting.empty())
        turns_.push_back(session);
    own.waiting.push_back(who);
    ++queued_;
    return entry::queued;
}

std::vector<fair_queue::ticket> fair_queue::leave(const base::session_id& session, ticket who)
{
    std::vector<ticket> granted;
    const auto at = lanes_.find(session);
    if (at == lanes_.end())
        return granted;
    auto& own = at->second;
    if (const auto place = std::ranges::find(own.waiting, who); place != own.waiting.end()) {
        own.waiting.erase(place);
        --queued_;
        if (own.waiting.empty())
            turns_.remove(session);
    } else if (own.running > 0) {
        --own.running;
        --running_;
    }
    if (own.running == 0 && own.waiting.empty())
        lanes_.erase(at);
    while (running_ < limits_.per_daemon && grant_next(granted)) {
    }
    return granted;
}

std::vector<fair_queue::ticket> fair_queue::change(caps limits)
{
    limits_ = limits;
    std::vector<ticket> granted;
    while (running_ < limits_.per_daemon && grant_next(granted)) {
    }
    return granted;
}

bool fair_queue::grant_next(std::vector<ticket>& granted)
{
    const auto may = [this](const base::session_id& session) {
        return lanes_[session].running < limits_.per_session;
    };
    const auto turn = std::ranges::find_if(turns_, may);
    if (turn == turns_.end())
        return false;
    auto& own = lanes_[*turn];
    granted.push_back(own.waiting.front());
    own.waiting.pop_front();
    --queued_;
    ++own.running;
    ++running_;
    if (own.waiting.empty())
        turns_.erase(turn);
    else
        turns_.splice(turns_.end(), turns_, turn);
    return true;
}

} // namespace agentd::jobs
