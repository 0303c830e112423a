// Where the log goes and how much of it, as configured. At start and on reload.
#pragma once

#include "app/config.hpp"

namespace agentd::app {

// Sets base/log's backend and level. A file that cannot be opened: stderr, and it says so.
void open_log(const config& all);

} // namespace agentd::app
