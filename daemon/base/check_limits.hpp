// The bounds of looking for troubles (app/state_check.hpp), each with the reason for its size.
// Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace agentd::limits {

using namespace std::chrono_literals;

// Of the check of the database's pages: about 2 GiB from a disk that is not in use. Beside a
// daemon its log cannot begin anew for as long.
inline constexpr std::chrono::milliseconds check_pages_for = 10s;
inline constexpr std::size_t check_complaints = 5;    // about the database's pages that are shown
inline constexpr std::size_t check_files = 1'000'000; // looked at in one folder
inline constexpr std::uint64_t space_out = 16U << 20; // less: the next steps may fail
inline constexpr std::uint64_t space_short = 512U << 20; // less: outputs of some jobs fill it
inline constexpr std::uint64_t inodes_short = 1000;      // a job takes two

} // namespace agentd::limits
