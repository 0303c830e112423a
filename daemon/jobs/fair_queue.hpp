// Who gets the next place: first come, first served within a session, the sessions in turn.
// Pure: tickets in, tickets out.
#pragma once

#include "base/ids.hpp"
#include "jobs/places.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <unordered_map>
#include <vector>

namespace agentd::jobs {

class fair_queue {
public:
    using ticket = std::uint64_t; // the caller's name of one entry, unique while it is in here

    explicit fair_queue(caps limits) : limits_(limits) {}

    enum class entry { granted, queued, refused };
    entry enter(const base::session_id& session, ticket who);
    // Gives back a place, or leaves the queue. Gives the tickets that have a place by that.
    std::vector<ticket> leave(const base::session_id& session, ticket who);

    // Other caps from now on; who runs goes on. Gives the tickets that have a place by that.
    std::vector<ticket> change(caps limits);

    [[nodiscard]] std::size_t running() const { return running_; }
    [[nodiscard]] std::size_t queued() const { return queued_; }

private:
    struct lane {
        std::size_t running = 0;
        std::deque<ticket> waiting;
    };

    bool grant_next(std::vector<ticket>& granted);

    caps limits_;
    std::size_t running_ = 0;
    std::size_t queued_ = 0;
    std::unordered_map<base::session_id, lane> lanes_; // of sessions that have anything here
    std::list<base::session_id> turns_;                // of sessions that wait, the next first
};

} // namespace agentd::jobs
