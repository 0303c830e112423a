// Text that is told of, but must not speak: every line of it is marked. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace agentd::session {

// `| ` before every line of UTF-8 text, whatever ends a line; ends with a line feed, unless empty.
[[nodiscard]] std::string quoted(std::string_view text);

} // namespace agentd::session
