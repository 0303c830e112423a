#include "jobs/session_accounts.hpp"

#include "base/bound_limits.hpp"

#include <fmt/format.h>

namespace agentd::jobs {

std::string session_account::text() const
{
    return fmt::format("the session has used up its {} s of CPU time", most_.count());
}

bool session_accounts::wants(const base::session_id& session) const
{
    if (most_.count() == 0 || session.empty())
        return false;
    const std::lock_guard hold{lock_};
    return !all_.contains(session);
}

void session_accounts::open(const base::session_id& session, std::chrono::microseconds used_before)
{
    if (most_.count() == 0 || session.empty())
        return;
    const std::lock_guard hold{lock_};
    // Those that are forgotten are opened again with what the store knows of them.
    if (all_.size() >= limits::session_accounts)
        std::erase_if(all_, [](const auto& one) { return one.second.use_count() == 1; });
    all_.try_emplace(session, std::make_shared<session_account>(most_, used_before));
}

std::shared_ptr<session_account> session_accounts::of(const base::session_id& session)
{
    if (wants(session))
        open(session, {});
    const std::lock_guard hold{lock_};
    const auto found = all_.find(session);
    return found == all_.end() ? nullptr : found->second;
}

} // namespace agentd::jobs
