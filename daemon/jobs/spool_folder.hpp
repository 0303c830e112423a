// The folder of the spool as files (see spool.hpp for their names), and how much of it is used.
// Blocks; any thread: what is counted is behind a lock that is held for no system call but the
// first look at the folder.
#pragma once

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/unique_fd.hpp"
#include "jobs/command.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace agentd::jobs {

// One file of a job: the bytes [start, start + size) of its output.
struct extent_file {
    std::uint64_t start = 0;
    std::uint64_t size = 0;
    std::uint64_t times = 0; // bytes of the file with its times, where that is kept in mind

    [[nodiscard]] std::uint64_t end() const { return start + size; }
};

// From the first byte that is missing to behind the last one; nullopt: all is there.
[[nodiscard]] std::optional<byte_range> missing_in(
    const std::vector<extent_file>& files, std::uint64_t total);

class spool_folder {
public:
    // `cap`: of everything; `ended_cap`: of the jobs that have ended; `session_cap`: of those of
    // one session, ended or not.
    spool_folder(std::string path, std::uint64_t cap, std::uint64_t ended_cap = no_cap,
        std::uint64_t session_cap = no_cap)
        : path_(std::move(path)), cap_(cap), ended_cap_(ended_cap), session_cap_(session_cap)
    {}
    static constexpr auto no_cap = std::numeric_limits<std::uint64_t>::max();

    base::result<> open(); // makes it, 0700

    // The files of a job, by offset; an empty last one only marks where the output ended.
    [[nodiscard]] std::vector<extent_file> list(const base::job_id& id) const;
    // -1 with errno: gone, or the disk refuses.
    [[nodiscard]] base::unique_fd open_to_read(const base::job_id& id, std::uint64_t start) const;
    // The times of that file (see spool_times.hpp).
    [[nodiscard]] base::unique_fd open_times(const base::job_id& id, std::uint64_t start) const;
    // A new, empty file for the bytes from `start` on / for their times.
    [[nodiscard]] base::unique_fd create(const base::job_id& id, std::uint64_t start);
    [[nodiscard]] base::unique_fd create_times(const base::job_id& id, std::uint64_t start) const;
    void unlink(const base::job_id& id, std::uint64_t start) const; // with its times
    void unlink_times(const base::job_id& id, std::uint64_t start) const;

    // Takes `bytes` of the caps for a running job of that session (empty: nobody's); drops the
    // oldest ended jobs' output for it. False: everything is in use by running jobs.
    [[nodiscard]] bool take(std::size_t bytes, const base::session_id& by = {});
    void give_back(std::size_t bytes, const base::session_id& by = {});
    // The job has ended: its bytes may be dropped from now on, and the oldest ended jobs' are
    // while all of them have more than their share.
    void ended(const base::job_id& id, std::uint64_t bytes, const base::session_id& by = {});
    // Ended jobs of earlier runs that were that session's: their files do not say so.
    void claim(const base::session_id& by, const std::vector<base::job_id>& ids);
    // Counts what earlier runs have left, and drops what is too much of it; else that is done
    // at the first need.
    void settle();
    // Deletes an ended job's output.
    void remove(const base::job_id& id);
    [[nodiscard]] std::uint64_t used() const;

private:
    struct old_log {
        base::job_id id;
        std::uint64_t bytes;
        base::session_id session{}; // empty: not known, or it does not matter
    };
    using logs = std::deque<old_log>;

    void scan_locked();
    [[nodiscard]] bool too_much_locked(std::size_t more) const;
    [[nodiscard]] bool session_fits_locked(const base::session_id& by, std::size_t more) const;
    void charge_locked(const base::session_id& by, std::uint64_t bytes);
    void refund_locked(const base::session_id& by, std::uint64_t bytes);
    base::job_id forget_locked(logs::iterator which);
    [[nodiscard]] std::vector<base::job_id> drop_locked(
        std::size_t more, const base::session_id& by);
    void delete_files(const base::job_id& id) const;

    const std::string path_;
    const std::uint64_t cap_, ended_cap_, session_cap_;
    base::unique_fd folder_;
    mutable std::mutex lock_;
    bool scanned_ = false;                    // what earlier runs left is counted at the first need
    std::uint64_t used_ = 0, ended_used_ = 0; // by all / by those that have ended
    logs ended_;                              // oldest first
    // By those of a session, where that is bounded; of sessions that have some.
    std::unordered_map<base::session_id, std::uint64_t> of_session_;
};

} // namespace agentd::jobs
