// Thinking taken out of a message that is kept: for a server that does not accept it any more.
// Pure; any thread.
#pragma once

#include "base/error.hpp"

#include <string>
#include <string_view>

namespace agentd::proto::messages {

// An encoded content array without its thinking and redacted_thinking blocks, the bytes of all
// others as they are; "" when nothing is left. Errors: bad_history.
[[nodiscard]] base::result<std::string> without_thinking(std::string_view content);

} // namespace agentd::proto::messages
