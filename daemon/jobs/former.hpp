// What an earlier run of this daemon left behind: processes of its commands that lived on when
// it was killed. They are known by their mark (children.hpp), which is the same after a restart;
// the state folder's lock says that no other daemon of this folder runs.
// Blocks for a bounded time: before the first command of this run.
#pragma once

#include <cstddef>
#include <cstdint>

namespace agentd::jobs {

// Kills them through pidfds and waits until they are dead; how many there were. What could not
// be signalled, or did not die in time, is not counted.
[[nodiscard]] std::size_t end_former_commands(std::uint32_t space);

} // namespace agentd::jobs
