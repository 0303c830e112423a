#include "jobs/head_tail.hpp"

#include <algorithm>

namespace agentd::jobs {

void head_tail::append(std::string_view bytes)
{
    total_ += bytes.size();
    const auto to_head = std::min(bytes.size(), head_limit_ - head_.size());
    head_.append(bytes.substr(0, to_head));
    bytes.remove_prefix(to_head);
    if (bytes.size() > tail_limit_)
        bytes.remove_prefix(bytes.size() - tail_limit_);
    const auto to_grow = std::min(bytes.size(), tail_limit_ - ring_.size());
    ring_.append(bytes.substr(0, to_grow));
    bytes.remove_prefix(to_grow);
    while (!bytes.empty()) { // at most twice: to the ring's end, and on from its beginning
        const auto n = std::min(bytes.size(), tail_limit_ - next_);
        ring_.replace(next_, n, bytes.substr(0, n));
        next_ = (next_ + n) % tail_limit_;
        bytes.remove_prefix(n);
    }
}

excerpt head_tail::take() const
{
    excerpt kept;
    kept.head = head_;
    kept.tail = ring_.substr(next_) + ring_.substr(0, next_);
    kept.left_out = total_ - kept.head.size() - kept.tail.size();
    return kept;
}

} // namespace agentd::jobs
