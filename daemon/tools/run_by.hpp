// Commands that other commands run: `env X=1 sudo ls`, `timeout 5 sh -c "reboot"`, `eval ...`.
// For the policy. Pure; any thread.
#pragma once

#include "tools/shell_words.hpp"

#include <vector>

namespace agentd::tools {

// Appends to `all` what each of them runs by a wrapper, a shell's -c or eval, and so on for
// what was appended, to a fixed depth.
void add_run_by(std::vector<simple_command>& all);

} // namespace agentd::tools
