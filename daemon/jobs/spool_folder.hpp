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
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::jobs {

// One file of a job: the bytes [start, start + size) of its output.
struct extent_file {
    std::uint64_t start = 0;
    std::uint64_t size = 0;

    [[nodiscard]] std::uint64_t end() const { return start + size; }
};

// From the first byte that is missing to behind the last one; nullopt: all is there.
[[nodiscard]] std::optional<byte_range> missing_in(
    const std::vector<extent_file>& files, std::uint64_t total);

class spool_folder {
public:
    spool_folder(std::string path, std::size_t cap) : path_(std::move(path)), cap_(cap) {}

    base::result<> open(); // makes it, 0700

    // The files of a job, by offset; an empty last one only marks where the output ended.
    [[nodiscard]] std::vector<extent_file> list(const base::job_id& id) const;
    // -1 with errno: gone, or the disk refuses.
    [[nodiscard]] base::unique_fd open_to_read(const base::job_id& id, std::uint64_t start) const;
    // A new, empty file for the bytes from `start` on.
    [[nodiscard]] base::unique_fd create(const base::job_id& id, std::uint64_t start);
    void unlink(const base::job_id& id, std::uint64_t start) const;

    // Takes `bytes` of the cap for a running job; drops the oldest ended jobs' output for it.
    // False: everything is in use by running jobs.
    [[nodiscard]] bool take(std::size_t bytes);
    void give_back(std::size_t bytes);
    // The job has ended: its bytes may be dropped from now on.
    void ended(const base::job_id& id, std::uint64_t bytes);
    // Deletes an ended job's output.
    void remove(const base::job_id& id);
    [[nodiscard]] std::uint64_t used() const;

private:
    struct old_log {
        base::job_id id;
        std::uint64_t bytes;
    };

    void scan_locked();
    void delete_files(const base::job_id& id) const;

    const std::string path_;
    const std::uint64_t cap_;
    base::unique_fd folder_;
    mutable std::mutex lock_;
    bool scanned_ = false; // what earlier runs left is counted at the first need
    std::uint64_t used_ = 0;
    std::deque<old_log> ended_; // oldest first
};

} // namespace agentd::jobs
