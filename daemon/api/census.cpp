#include "api/census.hpp"

namespace agentd::api {

census::seat::~seat()
{
    if (owner_ == nullptr)
        return;
    const std::lock_guard lock{owner_->guard_};
    if (extra_) {
        --owner_->refusals_;
        return;
    }
    --owner_->all_;
    const auto place = owner_->by_uid_.find(uid_);
    if (--place->second == 0)
        owner_->by_uid_.erase(place);
}

std::optional<census::seat> census::admit(std::uint32_t uid)
{
    const std::lock_guard lock{guard_};
    const auto found = by_uid_.find(uid);
    const std::size_t own = found == by_uid_.end() ? 0 : found->second;
    const bool stranger = uid != bounds_->own_uid && uid != 0;
    const bool full = all_ >= bounds_->connections;
    if (full || (bounds_->shared && stranger && own >= bounds_->connections_per_uid))
        return std::nullopt;
    ++all_;
    ++by_uid_[uid];
    return seat{*this, uid, false};
}

std::optional<census::seat> census::refuse(std::uint32_t uid)
{
    const std::lock_guard lock{guard_};
    if (refusals_ >= limits::api_refusals)
        return std::nullopt;
    ++refusals_;
    return seat{*this, uid, true};
}

void census::count_answer(int status)
{
    const auto group = static_cast<std::size_t>(status / 100);
    if (group < answers_.size())
        answers_[group].fetch_add(1, std::memory_order_relaxed); // NOLINT: bounded above
}

std::size_t census::connections() const
{
    const std::lock_guard lock{guard_};
    return all_;
}

std::uint64_t census::answers(std::size_t status_class) const
{
    return status_class < answers_.size() ? answers_[status_class].load() : 0; // NOLINT
}

} // namespace agentd::api
