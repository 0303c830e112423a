// `agentd --check-config --online`: asks the model's server whether the configuration works.
// Touches neither state nor socket, so it may run beside a daemon. Main thread.
#pragma once

#include "app/credential.hpp"
#include "app/startup.hpp"
#include "base/error.hpp"

#include <string>

namespace agentd::app {

// One line that says what works, or the error with one line that says what does not. `found` is
// what find_credential() gave. Blocks until it is answered: limits::online_check_deadline.
[[nodiscard]] base::result<std::string> ask_online(
    const startup& from, const base::result<credential>& found);

} // namespace agentd::app
