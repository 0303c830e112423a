#include "api/line_times.hpp"

#include <cstddef>

namespace agentd::api {

std::string line_times::put_before_lines(
    std::string_view bytes, std::uint64_t offset, std::span<const jobs::time_mark> marks)
{
    std::string out;
    out.reserve(bytes.size() + bytes.size() / 2);
    std::size_t mark = 0; // the first one behind the byte that is looked at
    while (!bytes.empty()) {
        if (at_line_start_) {
            while (mark < marks.size() && marks[mark].offset <= offset)
                ++mark;
            put(out, mark == 0 ? base::wall_time{} : marks[mark - 1].when);
        }
        const auto line_end = bytes.find('\n');
        at_line_start_ = line_end != bytes.npos;
        const auto taken = at_line_start_ ? line_end + 1 : bytes.size();
        out += bytes.substr(0, taken);
        bytes.remove_prefix(taken);
        offset += taken;
    }
    return out;
}

void line_times::put(std::string& to, base::wall_time when)
{
    if (when != last_) {
        last_ = when;
        text_ = when == base::wall_time{} ? "- " : base::to_rfc3339(when) + ' ';
    }
    to += text_;
}

} // namespace agentd::api
