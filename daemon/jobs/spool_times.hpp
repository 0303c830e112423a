// When output came, beside its bytes: a file FILE.t1 for each FILE of the spool (see spool.hpp),
// dropped together with it. Format 1: records of 16 bytes, both numbers little endian:
//   u64  offset of a byte in all of the job's output
//   i64  wall clock in ms since 1970 when it came, and what follows up to the next record;
//        0: unknown
// by ascending offset. A record cut off at the end says nothing. A record comes before its bytes.
// Bounded: the fuller a file is, the farther apart its records are (1 ms to a minute).
// Blocks; one call at a time, on any thread.
#pragma once

#include "base/clock.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace agentd::jobs {

// Bytes from `offset` on came at `when`, up to those of the next mark.
struct time_mark {
    std::uint64_t offset = 0;
    base::wall_time when{}; // the epoch: unknown
};

inline constexpr std::uint64_t time_record_bytes = 16;

// One file being written.
class times_file {
public:
    times_file() = default; // without a file: all times are unknown
    // `data_cap`: how many bytes of output the file beside it may get.
    times_file(base::unique_fd file, std::uint64_t data_cap);

    // Whether note() would write a record for what comes at `when`.
    [[nodiscard]] bool wants(base::wall_time when) const;
    // What comes from `offset` on came at `when`. What the disk refuses is unknown from there
    // on, until it takes a record again.
    void note(std::uint64_t offset, base::wall_time when);
    // What comes from `offset` on came at a time for which there is no room.
    void miss(std::uint64_t offset);
    // No more comes. False: what is on disk says something wrong and has to go.
    [[nodiscard]] bool finish();
    // How many bytes that needs.
    [[nodiscard]] std::uint64_t need() const { return (unknown_from_ ? 2 : 1) * time_record_bytes; }
    [[nodiscard]] std::uint64_t bytes() const { return records_ * time_record_bytes; }

private:
    bool write(const time_mark& what);

    base::unique_fd file_;
    std::uint64_t most_ = 0; // records
    std::uint64_t records_ = 0;
    base::wall_time last_{};
    std::optional<std::uint64_t> unknown_from_; // an offset whose time the disk refused
};

// The marks of [start, end) in such a file; the first one may be for a byte before `start`.
[[nodiscard]] std::vector<time_mark> read_times(
    const base::unique_fd& file, std::uint64_t start, std::uint64_t end);

} // namespace agentd::jobs
