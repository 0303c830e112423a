// What is done with a whole control group by its folder, that of agentd or what an earlier run
// of it has left: emptying and removing.
// Any thread; blocks where that is said.
#pragma once

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <chrono>
#include <cstddef>
#include <string>

namespace agentd::jobs {

[[nodiscard]] base::unique_fd open_folder(int at, const std::string& name);

// Removes a group that nobody lives in, with the groups below it; errno, 0: it is gone.
[[nodiscard]] int remove_group(int at, const std::string& name);

// Waits until nobody lives in it or below, `until` then at the most.
[[nodiscard]] bool empties(int folder, base::mono_time until);

// Two daemons can mean the same group: the first holds it until its folder is closed. `patience`:
// for a holder of whom it is known that he has been killed (run_lock.hpp).
[[nodiscard]] base::result<> claim(
    int folder, const std::string& name, std::chrono::milliseconds patience);

// Kills who lives in the groups that an earlier run made at `folder`, and removes them; how many
// there were. No folder is no error; one that another agentd holds is, and so is one with somebody
// in it who does not die (std::errc::timed_out).
// Blocks until they are dead, `until` then at the most, besides `patience`.
[[nodiscard]] base::result<std::size_t> end_former_groups(
    const std::string& folder, base::mono_time until, std::chrono::milliseconds patience = {});

} // namespace agentd::jobs
