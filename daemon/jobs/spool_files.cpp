#include "jobs/spool_files.hpp"

#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

namespace agentd::jobs {
namespace {

constexpr std::uint64_t head_part = 4; // a quarter of the cap for the beginning
constexpr std::uint64_t file_part = 8; // the rest in so many files, dropped one by one
constexpr auto retry_pause = std::chrono::milliseconds{100}; // of a disk that refused
constexpr std::size_t most_files = 64; // a disk that refuses now and then makes small ones

} // namespace

spool_files::spool_files(
    spool_folder& folder, base::job_id id, std::size_t cap, base::session_id session)
    : folder_(folder),
      id_(std::move(id)),
      session_(std::move(session)),
      head_cap_(cap / head_part),
      later_cap_(cap - head_cap_),
      file_cap_(std::max<std::uint64_t>(later_cap_ / file_part, 1))
{}

spool_files::~spool_files()
{
    assert(!current_);
}

void spool_files::append(std::string_view bytes, base::wall_time when)
{
    while (!bytes.empty()) {
        const auto n = is_refused(when) ? 0 : write_some(bytes, when);
        if (n == 0) { // left out; a later call tries again behind it
            total_ += bytes.size();
            return;
        }
        bytes.remove_prefix(n);
    }
}

// Too soon after a refusal to try again. The clock may be set back: then it is tried.
bool spool_files::is_refused(base::wall_time when) const
{
    return refused_at_ && when >= *refused_at_ && when - *refused_at_ < retry_pause;
}

// How much of `bytes` was written; 0: nothing can be now.
std::size_t spool_files::write_some(std::string_view bytes, base::wall_time when)
{
    if ((!current_ || room_in_current() == 0) && !begin_file(when))
        return 0;
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), room_in_current()));
    if (!reserve(want)) {
        refused(EDQUOT, when);
        return 0;
    }
    note_time(when);
    ssize_t n = ::write(current_.get(), bytes.data(), want);
    const int why = errno;
    const auto written = n > 0 ? static_cast<std::size_t>(n) : 0;
    folder_.give_back(want - written, session_);
    kept_.back().size += written;
    total_ += written;
    if (!is_head(kept_.back()))
        later_bytes_ += written;
    if (n <= 0)
        refused(n < 0 ? why : ENOSPC, when);
    else
        refused_at_.reset();
    return written;
}

// Before the bytes, so that who reads them finds it.
void spool_files::note_time(base::wall_time when)
{
    const auto need = times_.need();
    if (!times_.wants(when))
        return;
    if (!folder_.take(need, session_)) {
        times_.miss(total_);
        return;
    }
    const auto before = times_.bytes();
    times_.note(total_, when);
    const auto used = times_.bytes() - before;
    kept_.back().times += used;
    folder_.give_back(need - used, session_);
}

std::uint64_t spool_files::room_in_current() const
{
    const auto& file = kept_.back();
    return (is_head(file) ? head_cap_ : file_cap_) - file.size;
}

// The next file begins at the offset reached. Without a first file (the disk refused it) the
// first bytes are a gap like any other.
bool spool_files::begin_file(base::wall_time when)
{
    close_file();
    if (total_ == 0 && head_cap_ == 0)
        return false;
    if (kept_.size() >= most_files)
        drop_oldest();
    current_ = folder_.create(id_, total_);
    if (!current_) {
        refused(errno, when);
        return false;
    }
    kept_.push_back({.start = total_});
    times_ = times_file{
        folder_.create_times(id_, total_), is_head(kept_.back()) ? head_cap_ : file_cap_};
    return true;
}

// What its times cannot say any more goes with all of them.
void spool_files::close_file()
{
    if (current_ && !times_.finish()) {
        auto& file = kept_.back();
        folder_.unlink_times(id_, file.start);
        folder_.give_back(std::exchange(file.times, 0), session_);
    }
    times_ = {};
    current_.reset();
}

// Makes room for `bytes` in the current file within this job's cap and the folder's.
bool spool_files::reserve(std::size_t bytes)
{
    if (!is_head(kept_.back()))
        while (later_bytes_ + bytes > later_cap_)
            if (!drop_oldest())
                return false;
    while (!folder_.take(bytes, session_))
        if (!drop_oldest())
            return false;
    return true;
}

// The oldest file behind the first one, unless it is the current one.
bool spool_files::drop_oldest()
{
    const auto later = [this](const extent_file& file) { return !is_head(file); };
    const auto oldest = std::ranges::find_if(kept_, later);
    if (oldest == kept_.end() || oldest + 1 == kept_.end())
        return false;
    folder_.unlink(id_, oldest->start);
    folder_.give_back(oldest->size + oldest->times, session_);
    later_bytes_ -= oldest->size;
    kept_.erase(oldest);
    return true;
}

// The current file ends here; an empty one would say that the output ended at its offset.
void spool_files::refused(int number, base::wall_time when)
{
    disk_error_ = number;
    refused_at_ = when;
    if (current_ && kept_.back().size == 0) {
        folder_.unlink(id_, kept_.back().start);
        folder_.give_back(kept_.back().times, session_);
        kept_.pop_back();
        current_.reset();
        times_ = {};
    }
    close_file();
}

void spool_files::finish()
{
    close_file();
    if (total_ == 0)
        return;
    const auto end = kept_.empty() ? 0 : kept_.back().end();
    if (total_ > end) // the last bytes are missing: the mark says how many there were
        base::unique_fd mark = folder_.create(id_, total_);
    std::uint64_t bytes = 0;
    for (const auto& file : kept_)
        bytes += file.size + file.times;
    folder_.ended(id_, bytes, session_);
}

std::optional<byte_range> spool_files::gap() const
{
    return missing_in(kept_, total_);
}

} // namespace agentd::jobs
