// The spool as a running job writes to it: what the pipe gives is buffered, bounded, while the
// blocking pool writes what came before. A full buffer is waited for, so that a slow disk slows
// the job and loses nothing; a disk that refuses makes a gap and slows nobody. Its time is that
// of the reading.
// On the strand of the job.
#pragma once

#include "aio/awaitable.hpp"
#include "base/clock.hpp"
#include "base/ids.hpp"
#include "jobs/bell.hpp"
#include "jobs/command.hpp"
#include "jobs/head_tail.hpp"
#include "jobs/output_sink.hpp"
#include "jobs/spool.hpp"
#include "jobs/spool_files.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace agentd::jobs {

struct live_log;

class spool_log final : public output_sink {
public:
    // From now on followers wait for it.
    spool_log(
        const aio::executor& strand, spool& where, base::job_id id, base::session_id session = {});
    ~spool_log() override;

    std::span<char> room() override;
    void commit(std::size_t bytes) override;
    aio::awaitable<> wait_for_room() override;

    // Writes what comes until finish(); once, in a coroutine of its own, not to be cancelled.
    aio::awaitable<> write();
    // Nothing will come any more: write() ends when all is written.
    void finish();
    // Lets followers go on: it has ended. At the end of write(), and of its life.
    void end();

    [[nodiscard]] std::uint64_t total() const { return preview_.total(); }
    [[nodiscard]] excerpt preview() const { return preview_.take(); }
    // After write() has ended.
    [[nodiscard]] std::optional<byte_range> gap() const { return files_.gap(); }

private:
    // From `begin` of a chunk on, bytes that came at `when`.
    struct arrival {
        std::size_t begin;
        base::wall_time when;
    };
    struct chunk {
        std::unique_ptr<char[]> bytes;
        std::size_t used = 0;
        std::vector<arrival> arrivals;
    };

    aio::awaitable<> write_pending();
    void publish();
    static void append(spool_files& to, const chunk& what);

    std::shared_ptr<spool::state> spool_; // shared: outlives the posts to its strand
    base::job_id id_;
    std::shared_ptr<live_log> live_; // shared with followers
    const std::size_t most_chunks_;
    std::vector<chunk> pending_; // the last one may have room
    std::size_t writing_ = 0;    // chunks that the pool has
    head_tail preview_;
    spool_files files_;
    bool finished_ = false;
    bell work_; // for write()
    bell room_; // for wait_for_room()
};

} // namespace agentd::jobs
