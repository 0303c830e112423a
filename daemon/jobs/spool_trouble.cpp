#include "jobs/spool_trouble.hpp"

#include "base/log.hpp"

#include <cerrno>
#include <system_error>

namespace agentd::jobs {

void spool_trouble::note(const base::job_id& id, int refusal, base::mono_time now)
{
    if (refusal != 0)
        begin(id, refusal, now);
    else if (there_.load())
        end(now);
}

void spool_trouble::begin(const base::job_id& id, int refusal, base::mono_time now)
{
    const std::lock_guard hold{lock_};
    latest_ = now;
    if (there_.exchange(true))
        return;
    const auto why = refusal == EDQUOT ? std::string{"jobs.spool_bytes is used up by running jobs"}
                                       : std::error_code{refusal, std::system_category()}.message();
    log::warning("jobs.output_refused", {.job_id = id.str()},
        "cannot keep the output of job {}: {}; jobs go on, what is left out is counted", id.str(),
        why);
}

void spool_trouble::end(base::mono_time now)
{
    const std::lock_guard hold{lock_};
    if (now - latest_ < quiet || !there_.exchange(false))
        return;
    log::info("jobs.output_kept", {}, "the output of jobs is kept again");
}

} // namespace agentd::jobs
