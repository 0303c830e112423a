// The one thing simdjson 3.0 cannot do with a string: read it although it has half a
// surrogate pair. Private to proto/json. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace agentd::proto::json {

// The text of a JSON string (`quoted`: with its quotes, valid UTF-8), each lone surrogate
// replaced by U+FFFD. False if an escape is none.
[[nodiscard]] bool unescape_replacing(std::string_view quoted, std::string& out);

} // namespace agentd::proto::json
