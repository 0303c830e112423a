// What the parts of the spool share: the folder, and the jobs that are live, for followers.
#pragma once

#include "aio/awaitable.hpp"
#include "aio/blocking_pool.hpp"
#include "base/ids.hpp"
#include "jobs/spool.hpp"
#include "jobs/spool_folder.hpp"
#include "jobs/spool_trouble.hpp"

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace agentd::jobs {

// A live job as its followers see it. The job writes the figures on its strand and, only if
// there are followers, wakes them on the spool's.
struct live_log {
    explicit live_log(const aio::executor& strand) : more(strand, never) {}

    static constexpr auto never = aio::asio::steady_timer::time_point::max();

    std::atomic<std::uint64_t> size{0}; // readable
    std::atomic<bool> ended{false};
    std::atomic<int> followers{0};
    aio::asio::steady_timer more; // on the spool's strand; cancelled when there is more
};

struct spool::state {
    state(const aio::executor& io, spool_options options, aio::blocking_pool& readers,
        aio::blocking_pool& writers)
        : with(std::move(options)),
          strand(aio::make_strand(io)),
          reading(readers),
          writing(writers),
          folder(with.folder, with.total_bytes, with.ended_bytes,
              with.session_bytes != 0 ? with.session_bytes : spool_folder::no_cap)
    {}

    const spool_options with;
    const aio::executor strand;
    aio::blocking_pool& reading;
    aio::blocking_pool& writing;
    spool_folder folder;
    spool_trouble trouble;
    std::unordered_map<base::job_id, std::shared_ptr<live_log>> live; // on `strand`
};

} // namespace agentd::jobs
