#include "session/turn_order.hpp"

#include <algorithm>

namespace agentd::session {

void turn_order::add(applicant who)
{
    waiting_.push_back(who);
}

bool turn_order::remove(std::uint64_t id)
{
    return std::erase_if(waiting_, [id](const applicant& one) { return one.id == id; }) != 0;
}

bool turn_order::before(const applicant& a, const applicant& b) const
{
    if (a.woken != b.woken)
        return a.woken;
    if (a.woken)
        return false; // among the woken: as they came
    if (a.priority != b.priority)
        return a.priority > b.priority;
    const auto last = [this](std::uint32_t owner) {
        const auto found = served_.find(owner);
        return found == served_.end() ? 0 : found->second;
    };
    return last(a.owner) < last(b.owner);
}

std::optional<applicant> turn_order::next()
{
    if (waiting_.empty())
        return std::nullopt;
    // The first of the best: list order is order of arrival.
    const auto best = std::ranges::min_element(
        waiting_, [this](const applicant& a, const applicant& b) { return before(a, b); });
    const applicant who = *best;
    waiting_.erase(best);
    if (!who.woken)
        served_[who.owner] = ++round_;
    // An owner without anything waiting needs no memory of his turn.
    if (waiting_.empty())
        served_.clear();
    return who;
}

} // namespace agentd::session
