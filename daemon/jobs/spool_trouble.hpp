// Whether the disk under the spool takes what it is given: said once when it does not, and once
// when it has been well for a while again. Any thread.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"

#include <atomic>
#include <mutex>

namespace agentd::jobs {

class spool_trouble {
public:
    static constexpr std::chrono::seconds quiet{5}; // without a refusal: it is well again

    // How the latest writing of a job went: 0 or the errno of its refusal (EDQUOT: the folder's
    // cap).
    void note(const base::job_id& id, int refusal, base::mono_time now = base::mono_now());
    [[nodiscard]] bool is_there() const { return there_.load(); }

private:
    void begin(const base::job_id& id, int refusal, base::mono_time now);
    void end(base::mono_time now);

    std::atomic<bool> there_{false};
    std::mutex lock_;
    base::mono_time latest_; // refusal
};

} // namespace agentd::jobs
