// What the daemon tells systemd, and what systemd hands it. Without systemd nothing happens.
// Any thread.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <chrono>
#include <optional>
#include <string_view>

namespace agentd::app {

void notify_ready(std::string_view status);
void notify_status(std::string_view status);
// A reload begins now; it ends with notify_ready().
void notify_reloading();
void notify_stopping(std::string_view status);
void notify_watchdog();

// How often notify_watchdog() is to be called; nullopt: no watchdog.
[[nodiscard]] std::optional<std::chrono::milliseconds> watchdog_interval();

// The socket that systemd passed (named "api", or the only one), close-on-exec, not yet looked
// at; an empty one: none. The variables that say so are taken out of the environment.
[[nodiscard]] base::result<base::unique_fd> passed_socket();

} // namespace agentd::app
