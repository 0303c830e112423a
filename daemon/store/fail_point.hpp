// Where tests let the daemon die: right before and right behind each commit. An empty function;
// a test program brings another one of this name, which the linker then takes instead
// (tests/support/fail_points). On the thread that commits.
#pragma once

#include "store/step.hpp"

namespace agentd::store {

enum class moment { before, after };

void fail_point(step name, moment of_commit);

} // namespace agentd::store
