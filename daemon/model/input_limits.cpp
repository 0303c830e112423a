#include "model/input_limits.hpp"

#include "base/limits.hpp"

#include <algorithm>

namespace agentd::model {

aio::awaitable<input_limits::ticket> input_limits::look_up(std::string model)
{
    ticket out;
    for (;;) {
        const auto now = base::mono_now();
        const auto found = known_.find(model);
        if (found != known_.end() && found->second.is_being_asked) {
            const auto settled = found->second.settled;
            co_await settled->wait();
            continue;
        }
        if (found != known_.end() && now < found->second.until) {
            found->second.used = now;
            out.limit = found->second.limit;
            co_return out;
        }
        if (found == known_.end() && !make_room())
            co_return out;
        entry fresh;
        fresh.used = now;
        fresh.settled = std::make_shared<aio::flag>(strand_);
        known_.insert_or_assign(model, std::move(fresh));
        out.ask = true;
        co_return out;
    }
}

void input_limits::learnt(
    const std::string& model, std::optional<std::int64_t> limit, bool for_good)
{
    const auto found = known_.find(model);
    if (found == known_.end())
        return;
    auto& one = found->second;
    one.is_being_asked = false;
    one.limit = limit;
    one.until = for_good ? base::mono_time::max() : base::mono_now() + limits::known_model_recheck;
    one.settled->raise();
}

void input_limits::abandoned(const std::string& model)
{
    const auto found = known_.find(model);
    if (found == known_.end() || !found->second.is_being_asked)
        return;
    const auto settled = found->second.settled;
    known_.erase(found);
    settled->raise();
}

bool input_limits::make_room()
{
    if (known_.size() < limits::known_models)
        return true;
    const auto oldest = std::ranges::min_element(known_, {}, [](const auto& one) {
        return one.second.is_being_asked ? base::mono_time::max() : one.second.used;
    });
    if (oldest->second.is_being_asked)
        return false;
    known_.erase(oldest);
    return true;
}

} // namespace agentd::model
