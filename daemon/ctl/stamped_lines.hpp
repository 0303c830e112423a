// Output with timestamps, put together from several answers: each answer begins with a time,
// which is left out where it goes on within a line. Counts the bytes of the job's own, which are
// what offsets mean. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace agentd::ctl {

class stamped_lines {
public:
    // The next answer begins here; `gap`: behind bytes that were left out. What is to be printed
    // before it: a line that will not go on is ended.
    [[nodiscard]] std::string begin(bool gap);
    // What is to be printed of the next bytes of an answer.
    [[nodiscard]] std::string feed(std::string_view bytes);
    // Bytes of the job's own since begin().
    [[nodiscard]] std::uint64_t own_bytes() const { return own_; }

private:
    bool in_time_ = false;   // within the time before a line
    bool time_shown_ = true; // that time is to be printed
    bool mid_line_ = false;  // of what was printed
    std::string time_;       // as far as it has come
    std::uint64_t own_ = 0;
};

} // namespace agentd::ctl
