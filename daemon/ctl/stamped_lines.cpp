#include "ctl/stamped_lines.hpp"

#include <utility>

namespace agentd::ctl {

std::string stamped_lines::begin(bool gap)
{
    const bool cut_off = gap && std::exchange(mid_line_, false);
    in_time_ = true;
    time_shown_ = !mid_line_;
    time_.clear(); // of an answer that broke off there
    own_ = 0;
    return cut_off ? "\n" : "";
}

std::string stamped_lines::feed(std::string_view bytes)
{
    std::string out;
    while (!bytes.empty()) {
        const auto end = bytes.find(in_time_ ? ' ' : '\n');
        const bool whole = end != bytes.npos;
        const auto part = bytes.substr(0, whole ? end + 1 : end);
        bytes.remove_prefix(part.size());
        if (in_time_) { // printed with the line's first byte, before which an answer may break off
            time_ += part;
            in_time_ = !whole;
            continue;
        }
        if (time_shown_)
            out += time_;
        time_.clear();
        time_shown_ = true;
        out += part;
        own_ += part.size();
        mid_line_ = !whole;
        in_time_ = whole;
    }
    return out;
}

} // namespace agentd::ctl
