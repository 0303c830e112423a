// The time before each line of a job's output, for timestamps=1: RFC 3339 and a space, or "- "
// where it is unknown. A line's time is that of its first byte. Pure; any thread.
#pragma once

#include "jobs/spool_times.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace agentd::api {

class line_times {
public:
    // What to read at once: empty lines become 26 times as much.
    static constexpr std::size_t piece_bytes = 32U << 10;

    // The bytes from `offset` on, which follow those of the call before, with the times that
    // `marks` say. The first byte of all gets one, too, wherever in its line it stands.
    [[nodiscard]] std::string put_before_lines(
        std::string_view bytes, std::uint64_t offset, std::span<const jobs::time_mark> marks);

private:
    void put(std::string& to, base::wall_time when);

    bool at_line_start_ = true;
    base::wall_time last_{};
    std::string text_{"- "}; // of last_
};

} // namespace agentd::api
