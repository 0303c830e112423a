#include "session/inbox.hpp"

#include <algorithm>
#include <utility>

namespace agentd::session {
namespace {

// By id, which is the order in which the store has seen them happen: coroutines that queue at
// the same moment may come back in another.
template <class Items>
void take(Items& from, std::vector<std::int64_t>& ids, auto& into)
{
    std::ranges::sort(from, {}, [](const auto& one) { return one.id; });
    for (auto& one : from) {
        ids.push_back(one.id);
        into.push_back(std::move(one.what));
    }
    from.clear();
}

} // namespace

void inbox::push(std::int64_t id, job_news what)
{
    if (known_.insert(id).second)
        jobs_.push_back({id, std::move(what)});
}

bool inbox::push(std::int64_t id, std::string text)
{
    if (!known_.insert(id).second)
        return false;
    messages_.push_back({id, std::move(text)});
    return true;
}

bool inbox::has_stall(const std::vector<base::job_id>& of) const
{
    return std::ranges::any_of(jobs_, [&of](const auto& one) {
        return !one.what.stalled.empty() && std::ranges::find(of, one.what.job.id) != of.end();
    });
}

void inbox::forget(const std::vector<std::int64_t>& ids)
{
    for (const auto id : ids)
        known_.erase(id);
}

inbox::news inbox::drain()
{
    news all;
    take(jobs_, all.ids, all.jobs);
    take(messages_, all.ids, all.messages);
    return all;
}

inbox::news inbox::drain_messages()
{
    news all;
    take(messages_, all.ids, all.messages);
    return all;
}

} // namespace agentd::session
