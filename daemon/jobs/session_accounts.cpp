#include "jobs/session_accounts.hpp"

#include "base/bound_limits.hpp"

#include <fmt/format.h>

namespace agentd::jobs {

session_account::session_account(const session_most& most, const session_use& used)
    : most_(most),
      cpu_us_(used.cpu.count()),
      wall_ms_(used.wall.count()),
      output_bytes_(used.output_bytes)
{}

void session_account::add(const session_use& used)
{
    cpu_us_ += used.cpu.count();
    wall_ms_ += used.wall.count();
    output_bytes_ += used.output_bytes;
}

std::uint64_t session_account::output_left() const
{
    const auto used = output_bytes_.load();
    return most_.output_bytes > used ? most_.output_bytes - used : 0;
}

session_account::short_of session_account::over_time() const
{
    if (bounds_cpu() && cpu_left().count() <= 0)
        return short_of::cpu;
    if (bounds_wall() && wall_left().count() <= 0)
        return short_of::wall;
    return short_of::nothing;
}

session_account::short_of session_account::over() const
{
    if (bounds_output() && output_left() == 0)
        return short_of::output;
    return over_time();
}

std::string session_account::text(short_of what) const
{
    switch (what) {
    case short_of::nothing: break;
    case short_of::cpu:
        return fmt::format("the session has used up its {} s of CPU time", most_.cpu.count());
    case short_of::wall:
        return fmt::format(
            "the commands of the session have run for their {} s together", most_.wall.count());
    case short_of::output:
        return fmt::format(
            "the commands of the session have written their {} bytes of output together",
            most_.output_bytes);
    }
    return {};
}

bool session_accounts::bounds(const base::session_id& session) const
{
    const bool any = most_.cpu.count() != 0 || most_.wall.count() != 0 || most_.output_bytes != 0;
    return any && !session.empty();
}

bool session_accounts::wants(const base::session_id& session) const
{
    return bounds(session) && of(session) == nullptr;
}

std::shared_ptr<session_account> session_accounts::open(
    const base::session_id& session, const session_use& used_before)
{
    if (!bounds(session))
        return nullptr;
    const std::lock_guard hold{lock_};
    // Those that are forgotten are opened again with what the store knows of them.
    if (all_.size() >= limits::session_accounts)
        std::erase_if(all_, [](const auto& one) { return one.second.use_count() == 1; });
    const auto made = std::make_shared<session_account>(most_, used_before);
    return all_.try_emplace(session, made).first->second;
}

std::shared_ptr<session_account> session_accounts::of(const base::session_id& session) const
{
    const std::lock_guard hold{lock_};
    const auto found = all_.find(session);
    return found == all_.end() ? nullptr : found->second;
}

} // namespace agentd::jobs
