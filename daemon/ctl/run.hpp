// One run of agentctl: arguments, the command on an io_context of its own, the exit code.
#pragma once

#include <cstdio>

namespace agentd::ctl {

// `out` and `err` are stdout and stderr, or what a test puts in their place.
int run(int argc, const char* const* argv, std::FILE* out, std::FILE* err);

} // namespace agentd::ctl
