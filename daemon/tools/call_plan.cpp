#include "tools/call_plan.hpp"

#include <cassert>

namespace agentd::tools {

call_plan::call_plan(const std::vector<bool>& barriers, std::size_t at_once) : at_once_(at_once)
{
    calls_.reserve(barriers.size());
    for (const bool barrier : barriers)
        calls_.push_back({.barrier = barrier});
}

std::vector<std::size_t> call_plan::take_startable()
{
    std::vector<std::size_t> now;
    while (next_ < calls_.size() && running_ < at_once_) {
        // Calls start in order: what runs is all of the earlier ones that have not ended.
        const bool behind_barrier =
            running_ == 1 && calls_[next_ - 1].barrier && calls_[next_ - 1].state == at::running;
        if (behind_barrier || (calls_[next_].barrier && running_ != 0))
            break;
        calls_[next_].state = at::running;
        ++running_;
        now.push_back(next_++);
    }
    return now;
}

void call_plan::ended(std::size_t number)
{
    assert(number < calls_.size() && calls_[number].state == at::running);
    calls_[number].state = at::ended;
    --running_;
    ++ended_;
}

} // namespace agentd::tools
