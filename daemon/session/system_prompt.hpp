// agentd's own words to the model: what it is, where it works, how background work is told.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace agentd::session {

// The `system` array of a session, encoded: agentd's prompt for this workspace, then the text
// that the first task asked for (may be empty).
[[nodiscard]] std::string system_prompt(std::string_view workdir, std::string_view own_text);

} // namespace agentd::session
