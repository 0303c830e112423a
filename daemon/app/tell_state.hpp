// `agentd --check-state` on the command line: which folder, and the findings as lines. A broken
// configuration is one finding among others. Main thread, blocks.
#pragma once

#include "app/environment.hpp"
#include "app/options.hpp"

#include <cstdint>

namespace agentd::app {

// 0: nothing is wrong with what could be looked at; 1: something is; 2: no folder can be told.
[[nodiscard]] int tell_state(const options& given, const environment& env, std::uint32_t uid);

} // namespace agentd::app
