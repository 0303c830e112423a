#include "jobs/spool_times.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

namespace agentd::jobs {
namespace {

constexpr std::uint64_t data_part = 8;      // of the bytes' cap, for the times beside them
constexpr std::uint64_t least_records = 64; // of a small cap
constexpr std::uint64_t spacings = 16;      // 1 ms, 2 ms, 4 ms, ... 32 s
constexpr std::size_t records_at_once = 256;

using record = std::array<unsigned char, time_record_bytes>;

void put(record& to, std::size_t at, std::uint64_t number)
{
    for (std::size_t i = 0; i < sizeof number; ++i)
        to[at + i] = static_cast<unsigned char>(number >> (8 * i));
}

std::uint64_t get(const record& from, std::size_t at)
{
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < sizeof number; ++i)
        number |= std::uint64_t{from[at + i]} << (8 * i);
    return number;
}

time_mark mark_in(const record& from)
{
    using ms = std::chrono::milliseconds;
    return {
        get(from, 0), base::wall_time{ms{static_cast<ms::rep>(get(from, sizeof(std::uint64_t)))}}};
}

// So many records from the `first` one on; fewer where the file ends.
std::size_t read_records(const base::unique_fd& file, std::uint64_t first, std::span<record> into)
{
    const auto n = ::pread(
        file.get(), into.data(), into.size_bytes(), static_cast<off_t>(first * time_record_bytes));
    return n > 0 ? static_cast<std::size_t>(n) / time_record_bytes : 0;
}

// The last of `count` records that is for a byte at or before `offset`; 0 if there is none.
std::uint64_t find_record(const base::unique_fd& file, std::uint64_t count, std::uint64_t offset)
{
    std::uint64_t first = 0;
    while (count > 1) {
        const auto half = count / 2;
        std::array<record, 1> one{};
        const bool before =
            read_records(file, first + half, one) == 1 && mark_in(one[0]).offset <= offset;
        if (before) {
            first += half;
            count -= half;
        } else
            count = half;
    }
    return first;
}

} // namespace

times_file::times_file(base::unique_fd file, std::uint64_t data_cap)
    : file_(std::move(file)),
      most_(std::max(data_cap / data_part / time_record_bytes, least_records))
{}

bool times_file::wants(base::wall_time when) const
{
    if (!file_)
        return false;
    if (records_ == 0 || unknown_from_)
        return true;
    const std::chrono::milliseconds apart{std::int64_t{1} << (records_ * spacings / most_)};
    return when < last_ || when - last_ >= apart; // the clock may be set back
}

void times_file::note(std::uint64_t offset, base::wall_time when)
{
    if (unknown_from_ && !write({*unknown_from_, {}}))
        return;
    unknown_from_.reset();
    const bool last = records_ + 1 >= most_; // full: what follows is not known
    if (!write({offset, last ? base::wall_time{} : when}))
        unknown_from_ = offset;
    else if (last)
        file_.reset();
    last_ = when;
}

void times_file::miss(std::uint64_t offset)
{
    if (!unknown_from_)
        unknown_from_ = offset;
}

bool times_file::write(const time_mark& what)
{
    record bytes;
    put(bytes, 0, what.offset);
    put(bytes, sizeof(std::uint64_t),
        static_cast<std::uint64_t>(what.when.time_since_epoch().count()));
    // Where it belongs, and not at the end: what a full disk has cut off is written over.
    const auto at = static_cast<off_t>(records_ * time_record_bytes);
    if (::pwrite(file_.get(), bytes.data(), bytes.size(), at) != std::ssize(bytes))
        return false;
    ++records_;
    return true;
}

bool times_file::finish()
{
    if (!unknown_from_)
        return true;
    return write({*unknown_from_, {}});
}

std::vector<time_mark> read_times(
    const base::unique_fd& file, std::uint64_t start, std::uint64_t end)
{
    std::vector<time_mark> marks;
    struct stat about{};
    if (!file || ::fstat(file.get(), &about) != 0)
        return marks;
    auto next =
        find_record(file, static_cast<std::uint64_t>(about.st_size) / time_record_bytes, start);
    std::array<record, records_at_once> block{};
    for (;;) {
        const auto n = read_records(file, next, block);
        for (const auto& one : std::span{block}.first(n)) {
            const auto mark = mark_in(one);
            if (mark.offset >= end)
                return marks;
            marks.push_back(mark);
        }
        if (n < block.size())
            return marks;
        next += n;
    }
}

} // namespace agentd::jobs
