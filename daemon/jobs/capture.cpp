#include "jobs/capture.hpp"

#include "base/limits.hpp"

#include <array>

namespace agentd::jobs {
namespace {

// One block for all commands of a thread: it is filled and taken over within one step.
std::span<char> scratch()
{
    static thread_local std::array<char, limits::output_chunk> block;
    return block;
}

} // namespace

capture::capture() : kept_(limits::capture_head_bytes, limits::capture_tail_bytes) {}

std::span<char> capture::room()
{
    return scratch();
}

void capture::commit(std::size_t bytes)
{
    const auto filled = scratch().first(bytes);
    kept_.append({filled.data(), filled.size()});
}

aio::awaitable<> capture::wait_for_room()
{
    co_return;
}

} // namespace agentd::jobs
