// The files of one running job, as it writes them: the first bytes in one, later ones in files
// of a part of the cap each, of which the oldest are deleted. What the disk refuses, or the caps
// leave no room for, is a gap; writing goes on behind it as soon as that is possible, which is
// tried now and then: a disk in trouble may take long to refuse. Beside each file are its times.
// Blocks; one call at a time, on any thread.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/unique_fd.hpp"
#include "jobs/spool_folder.hpp"
#include "jobs/spool_times.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace agentd::jobs {

class spool_files {
public:
    // `session`: of whose share it takes, too; empty: of nobody's.
    spool_files(
        spool_folder& folder, base::job_id id, std::size_t cap, base::session_id session = {});
    ~spool_files(); // finish() was called or nothing was written

    // Keeps the next bytes of the output, which came at `when`, or counts them as left out.
    void append(std::string_view bytes, base::wall_time when);
    // After the last byte: closes the files and lets the folder count them as an ended job's.
    void finish();

    // All that was appended, kept or not.
    [[nodiscard]] std::uint64_t total() const { return total_; }
    // What is not on disk of it.
    [[nodiscard]] std::optional<byte_range> gap() const;
    // The errno of the latest refusal; 0: what came last was kept. EDQUOT: the folder is full of
    // what running jobs have.
    [[nodiscard]] int refusal() const { return refused_at_ ? disk_error_ : 0; }

private:
    [[nodiscard]] std::uint64_t room_in_current() const;
    [[nodiscard]] bool is_refused(base::wall_time when) const;
    bool begin_file(base::wall_time when);
    void note_time(base::wall_time when);
    bool reserve(std::size_t bytes);
    bool drop_oldest();
    void refused(int number, base::wall_time when);
    void close_file();
    std::size_t write_some(std::string_view bytes, base::wall_time when);
    [[nodiscard]] bool is_head(const extent_file& file) const { return file.start == 0; }

    spool_folder& folder_;
    const base::job_id id_;
    const base::session_id session_;
    const std::uint64_t head_cap_, later_cap_, file_cap_;
    std::vector<extent_file> kept_; // by offset; the last one is the current one
    base::unique_fd current_;       // -1: begin a new file first
    times_file times_;              // of the current one
    std::uint64_t later_bytes_ = 0; // in all files but the first
    std::uint64_t total_ = 0;
    int disk_error_ = 0;
    std::optional<base::wall_time> refused_at_; // the latest; nothing: it takes bytes
};

} // namespace agentd::jobs
