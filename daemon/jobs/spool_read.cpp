#include "jobs/spool_read.hpp"

#include "base/limits.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace agentd::jobs {
namespace {

// A running job deletes its oldest files: one listed may be gone when it is opened.
constexpr int looks = 5;

enum class took { all, gone, failed };

// Appends bytes of one file from `at` on until `limit` bytes are there.
took read_file(const base::unique_fd& file, std::uint64_t at, std::size_t limit, std::string& bytes)
{
    while (bytes.size() < limit) {
        const auto before = bytes.size();
        bytes.resize(limit);
        const auto n =
            ::pread(file.get(), bytes.data() + before, limit - before, static_cast<off_t>(at));
        const int why = errno;
        bytes.resize(before + (n > 0 ? static_cast<std::size_t>(n) : 0));
        if (n < 0 && why == EINTR)
            continue;
        if (n < 0)
            return took::failed;
        if (n == 0)
            break;
        at += static_cast<std::uint64_t>(n);
    }
    return took::all;
}

base::error disk_error(const base::job_id& id)
{
    return {errc::io, "cannot read the output of job " + id.str() + ": the disk refused"};
}

// From `from.offset` on through all files that follow one another without a gap.
took read_run(const spool_folder& folder, const base::job_id& id,
    const std::vector<extent_file>& files, std::size_t limit, piece& into)
{
    std::uint64_t at = into.offset;
    for (const auto& one : files) {
        if (at < one.start || at >= one.end())
            continue;
        if (into.bytes.size() >= limit)
            break;
        const auto file = folder.open_to_read(id, one.start);
        if (!file && errno != ENOENT)
            return took::failed;
        if (!file) // what was read before it is a good answer
            return into.bytes.empty() ? took::gone : took::all;
        const auto left = limit - into.bytes.size();
        const auto until = into.bytes.size() + std::min<std::uint64_t>(left, one.end() - at);
        if (read_file(file, at - one.start, until, into.bytes) == took::failed)
            return took::failed;
        at = into.offset + into.bytes.size();
        if (at < one.end())
            break;
    }
    return took::all;
}

// The last bytes kept that follow one another without a gap.
byte_range last_run(const std::vector<extent_file>& files)
{
    byte_range run;
    for (const auto& one : files) {
        if (one.size == 0)
            continue;
        if (one.start != run.end)
            run.start = one.start;
        run.end = one.end();
    }
    return run;
}

// Where reading from `offset` begins: there, or behind the gap it lies in.
void find_start(
    const std::vector<extent_file>& files, std::uint64_t offset, std::uint64_t total, piece& into)
{
    const auto end = files.empty() ? 0 : files.back().end();
    into.size = std::max(end, total);
    const auto holds = [offset](const extent_file& one) { return offset < one.end(); };
    const auto next = std::ranges::find_if(files, holds);
    into.offset = next != files.end() ? std::max(next->start, offset) : std::max(into.size, offset);
    if (into.offset > offset)
        into.gap = byte_range{offset, into.offset};
}

} // namespace

base::result<piece> read_piece(const spool_folder& folder, const base::job_id& id,
    std::uint64_t offset, std::size_t limit, std::uint64_t total)
{
    for (int look = 0; look < looks; ++look) {
        const auto files = folder.list(id);
        piece got;
        find_start(files, offset, total, got);
        const auto how = read_run(folder, id, files, limit, got);
        if (how == took::failed)
            return std::unexpected(disk_error(id));
        if (how == took::gone)
            continue;
        got.next_offset = got.offset + got.bytes.size();
        return got;
    }
    return std::unexpected(disk_error(id));
}

base::result<piece> read_last(
    const spool_folder& folder, const base::job_id& id, std::size_t limit, std::uint64_t total)
{
    for (int look = 0; look < looks; ++look) {
        const auto files = folder.list(id);
        const auto run = last_run(files);
        piece got;
        got.size = std::max(files.empty() ? 0 : files.back().end(), total);
        got.offset = std::max(run.start, run.end - std::min<std::uint64_t>(limit, run.end));
        if (got.size > run.end) // the end was not kept, or is not kept any more
            got.gap = byte_range{run.end, got.size};
        else if (got.offset == run.start && run.start > 0)
            got.gap = byte_range{missing_in(files, run.start)->start, run.start};
        const auto how = read_run(folder, id, files, limit, got);
        if (how == took::failed)
            return std::unexpected(disk_error(id));
        if (how == took::gone)
            continue;
        got.next_offset = got.offset + got.bytes.size();
        return got;
    }
    return std::unexpected(disk_error(id));
}

void add_times(const spool_folder& folder, const base::job_id& id, piece& to)
{
    const auto end = to.offset + to.bytes.size();
    for (const auto& one : folder.list(id)) {
        const auto from = std::max(to.offset, one.start);
        const auto until = std::min(end, one.end());
        if (from >= until)
            continue;
        const auto marks = read_times(folder.open_times(id, one.start), from, until);
        if (marks.empty() || marks.front().offset > from)
            to.times.push_back({from, {}});
        to.times.insert(to.times.end(), marks.begin(), marks.end());
    }
}

excerpt read_excerpt(const spool_folder& folder, const base::job_id& id)
{
    excerpt shown;
    auto head = read_piece(folder, id, 0, limits::preview_head_bytes, 0);
    auto tail = read_last(folder, id, limits::preview_tail_bytes, 0);
    if (!head || !tail)
        return shown;
    const auto overlap = std::max(head->next_offset, tail->offset) - tail->offset;
    shown.head = std::move(head->bytes);
    shown.tail = tail->bytes.substr(std::min<std::uint64_t>(overlap, tail->bytes.size()));
    shown.left_out = tail->size - shown.head.size() - shown.tail.size();
    return shown;
}

void keep_last_lines(piece& what, std::size_t lines)
{
    auto& text = what.bytes;
    std::size_t at = text.size();
    if (at > 0 && text[at - 1] == '\n')
        --at; // the end of the last line begins no other one
    for (std::size_t n = 0; n < lines; ++n) {
        const auto line_end = at == 0 ? text.npos : text.rfind('\n', at - 1);
        if (line_end == text.npos)
            return;
        at = line_end;
    }
    text.erase(0, lines == 0 ? text.npos : at + 1);
    what.offset = what.next_offset - text.size();
}

} // namespace agentd::jobs
