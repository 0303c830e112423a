#include "jobs/spool_files.hpp"

#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace agentd::jobs {
namespace {

constexpr std::uint64_t head_part = 4; // a quarter of the cap for the beginning
constexpr std::uint64_t file_part = 8; // the rest in so many files, dropped one by one

} // namespace

spool_files::spool_files(spool_folder& folder, base::job_id id, std::size_t cap)
    : folder_(folder),
      id_(std::move(id)),
      head_cap_(cap / head_part),
      later_cap_(cap - head_cap_),
      file_cap_(std::max<std::uint64_t>(later_cap_ / file_part, 1))
{}

spool_files::~spool_files()
{
    assert(!current_);
}

void spool_files::append(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto n = write_some(bytes);
        if (n == 0) { // left out; the next call tries again behind it
            total_ += bytes.size();
            return;
        }
        bytes.remove_prefix(n);
    }
}

// How much of `bytes` was written; 0: nothing can be now.
std::size_t spool_files::write_some(std::string_view bytes)
{
    if ((!current_ || room_in_current() == 0) && !begin_file())
        return 0;
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), room_in_current()));
    if (!reserve(want)) {
        refused(ENOSPC);
        return 0;
    }
    ssize_t n = ::write(current_.get(), bytes.data(), want);
    const int why = errno;
    const auto written = n > 0 ? static_cast<std::size_t>(n) : 0;
    folder_.give_back(want - written);
    kept_.back().size += written;
    total_ += written;
    if (!is_head(kept_.back()))
        later_bytes_ += written;
    if (n <= 0)
        refused(n < 0 ? why : ENOSPC);
    return written;
}

std::uint64_t spool_files::room_in_current() const
{
    const auto& file = kept_.back();
    return (is_head(file) ? head_cap_ : file_cap_) - file.size;
}

// Closes the current file; the next one begins at the offset reached. Without a first file
// (the disk refused it) the first bytes are a gap like any other.
bool spool_files::begin_file()
{
    current_.reset();
    if (total_ == 0 && head_cap_ == 0)
        return false;
    current_ = folder_.create(id_, total_);
    if (!current_) {
        refused(errno);
        return false;
    }
    kept_.push_back({total_, 0});
    return true;
}

// Makes room for `bytes` in the current file within this job's cap and the folder's.
bool spool_files::reserve(std::size_t bytes)
{
    if (!is_head(kept_.back()))
        while (later_bytes_ + bytes > later_cap_)
            if (!drop_oldest())
                return false;
    while (!folder_.take(bytes))
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
    folder_.give_back(oldest->size);
    later_bytes_ -= oldest->size;
    kept_.erase(oldest);
    return true;
}

// The current file ends here; an empty one would say that the output ended at its offset.
void spool_files::refused(int number)
{
    if (disk_error_ == 0)
        disk_error_ = number;
    if (current_ && kept_.back().size == 0) {
        folder_.unlink(id_, kept_.back().start);
        kept_.pop_back();
    }
    current_.reset();
}

void spool_files::finish()
{
    current_.reset();
    if (total_ == 0)
        return;
    const auto end = kept_.empty() ? 0 : kept_.back().end();
    if (total_ > end) // the last bytes are missing: the mark says how many there were
        base::unique_fd mark = folder_.create(id_, total_);
    std::uint64_t bytes = 0;
    for (const auto& file : kept_)
        bytes += file.size;
    folder_.ended(id_, bytes);
}

std::optional<byte_range> spool_files::gap() const
{
    return missing_in(kept_, total_);
}

} // namespace agentd::jobs
