// The beginning and the end of a stream of bytes, in bounded memory; what lies between is
// counted. Memory grows with what came, to the bounds. Pure.
#pragma once

#include "jobs/command.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace agentd::jobs {

class head_tail {
public:
    head_tail(std::size_t head_bytes, std::size_t tail_bytes)
        : head_limit_(head_bytes), tail_limit_(tail_bytes)
    {}

    void append(std::string_view bytes);
    [[nodiscard]] std::uint64_t total() const { return total_; }
    // What was kept, the tail in order.
    [[nodiscard]] excerpt take() const;

private:
    const std::size_t head_limit_;
    const std::size_t tail_limit_;
    std::uint64_t total_ = 0;
    std::string head_;
    std::string ring_; // the tail; full: its oldest byte is at next_
    std::size_t next_ = 0;
};

} // namespace agentd::jobs
