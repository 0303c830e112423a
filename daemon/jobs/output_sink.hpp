// Where the output of a command goes while it runs: the spool (spool_log) or memory (capture).
// On the strand of the command.
#pragma once

#include "aio/awaitable.hpp"

#include <cstddef>
#include <span>

namespace agentd::jobs {

class output_sink {
public:
    virtual ~output_sink() = default;

    // Where the next bytes are to be put; empty: it is full, wait_for_room(). Valid until the
    // next await of the caller.
    virtual std::span<char> room() = 0;
    // So many bytes were put there.
    virtual void commit(std::size_t bytes) = 0;
    virtual aio::awaitable<> wait_for_room() = 0;
};

} // namespace agentd::jobs
