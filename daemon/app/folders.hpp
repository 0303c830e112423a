// The folders that the daemon makes for itself at start. One thread; blocks.
#pragma once

#include "app/lock.hpp"

#include <string>

namespace agentd::app {

// The state folder with mode 0700, its parents made as needed, and its lock: held as long as
// the daemon lives. errc::in_use, errc::no_access.
[[nodiscard]] base::result<file_lock> open_state(const std::string& folder);

// The file of that lock.
[[nodiscard]] std::string state_lock(const std::string& folder);

// The folder of the socket at `path`, if it is not there: 0700, with `shared` 0755, since its
// members have to get through. errc::no_access.
[[nodiscard]] base::result<> make_socket_folder(const std::string& path, bool shared);

} // namespace agentd::app
