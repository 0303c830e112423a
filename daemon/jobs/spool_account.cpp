// spool_folder: how much of it is used, by whom, and whose output goes for others.
#include "jobs/spool_folder.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace agentd::jobs {

bool spool_folder::take(std::size_t bytes, const base::session_id& by)
{
    std::vector<base::job_id> dropped;
    bool fits = false;
    {
        const std::lock_guard hold{lock_};
        scan_locked();
        dropped = drop_locked(bytes, by);
        fits = used_ + bytes <= cap_ && session_fits_locked(by, bytes);
        if (fits) {
            used_ += bytes;
            charge_locked(by, bytes);
        }
    }
    for (const auto& id : dropped)
        delete_files(id);
    return fits;
}

void spool_folder::give_back(std::size_t bytes, const base::session_id& by)
{
    const std::lock_guard hold{lock_};
    used_ -= bytes;
    refund_locked(by, bytes);
}

void spool_folder::ended(const base::job_id& id, std::uint64_t bytes, const base::session_id& by)
{
    std::vector<base::job_id> dropped;
    {
        const std::lock_guard hold{lock_};
        ended_.push_back({id, bytes, by});
        ended_used_ += bytes;
        dropped = drop_locked(0, by);
    }
    for (const auto& one : dropped)
        delete_files(one);
}

void spool_folder::claim(const base::session_id& by, const std::vector<base::job_id>& ids)
{
    const std::set<base::job_id> all{ids.begin(), ids.end()};
    std::vector<base::job_id> dropped;
    {
        const std::lock_guard hold{lock_};
        scan_locked();
        for (auto& one : ended_)
            if (one.session.empty() && all.contains(one.id)) {
                one.session = by;
                charge_locked(by, one.bytes);
            }
        dropped = drop_locked(0, by);
    }
    for (const auto& one : dropped)
        delete_files(one);
}

void spool_folder::settle()
{
    [[maybe_unused]] const bool fits = take(0);
}

void spool_folder::remove(const base::job_id& id)
{
    {
        const std::lock_guard hold{lock_};
        scan_locked();
        const auto at = std::ranges::find(ended_, id, &old_log::id);
        if (at != ended_.end())
            forget_locked(at);
    }
    delete_files(id);
}

bool spool_folder::too_much_locked(std::size_t more) const
{
    return !ended_.empty() && (used_ + more > cap_ || ended_used_ > ended_cap_);
}

bool spool_folder::session_fits_locked(const base::session_id& by, std::size_t more) const
{
    const auto found = of_session_.find(by);
    return (found == of_session_.end() ? 0 : found->second) + more <= session_cap_;
}

void spool_folder::charge_locked(const base::session_id& by, std::uint64_t bytes)
{
    if (session_cap_ != no_cap && !by.empty() && bytes != 0)
        of_session_[by] += bytes;
}

void spool_folder::refund_locked(const base::session_id& by, std::uint64_t bytes)
{
    const auto found = of_session_.find(by);
    if (found == of_session_.end())
        return;
    found->second -= bytes;
    if (found->second == 0)
        of_session_.erase(found);
}

base::job_id spool_folder::forget_locked(logs::iterator which)
{
    used_ -= which->bytes;
    ended_used_ -= which->bytes;
    refund_locked(which->session, which->bytes);
    auto id = std::move(which->id);
    ended_.erase(which);
    return id;
}

// Forgets the oldest ended jobs, of that session and of all, until the caps hold and `more` bytes
// fit in; who they were.
std::vector<base::job_id> spool_folder::drop_locked(std::size_t more, const base::session_id& by)
{
    std::vector<base::job_id> dropped;
    while (!by.empty() && !session_fits_locked(by, more)) {
        const auto oldest = std::ranges::find(ended_, by, &old_log::session);
        if (oldest == ended_.end())
            break;
        dropped.push_back(forget_locked(oldest));
    }
    while (too_much_locked(more))
        dropped.push_back(forget_locked(ended_.begin()));
    return dropped;
}

} // namespace agentd::jobs
