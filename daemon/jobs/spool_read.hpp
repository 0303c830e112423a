// Reading kept output by offset, of running and of ended jobs alike: the names of the files say
// all. Blocks; any thread.
#pragma once

#include "base/error.hpp"
#include "base/ids.hpp"
#include "jobs/spool.hpp"
#include "jobs/spool_folder.hpp"

#include <cstddef>
#include <cstdint>

namespace agentd::jobs {

// See spool::read, spool::read_tail.
[[nodiscard]] base::result<piece> read_piece(const spool_folder& folder, const base::job_id& id,
    std::uint64_t offset, std::size_t limit, std::uint64_t total);
[[nodiscard]] base::result<piece> read_last(
    const spool_folder& folder, const base::job_id& id, std::size_t limit, std::uint64_t total);

// Fills in when the bytes of a piece came; what cannot be found stays unknown.
void add_times(const spool_folder& folder, const base::job_id& id, piece& to);

// Its beginning and its end, as they are shown in a notification; what cannot be read is left out.
[[nodiscard]] excerpt read_excerpt(const spool_folder& folder, const base::job_id& id);

// Leaves only the last `lines` lines of it.
void keep_last_lines(piece& what, std::size_t lines);

} // namespace agentd::jobs
