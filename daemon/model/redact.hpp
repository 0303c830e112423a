// Keeps credentials out of what people read: a server may quote what it was sent, in an
// error, a header, a page of HTML. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace agentd::model {

// Each occurrence of `secret` becomes "[credential]"; an empty secret occurs nowhere. Before a
// text is cut, not after: a half of it would not be found.
void redact(std::string& text, std::string_view secret);
void redact(std::string& text, const std::vector<std::string>& secrets);

} // namespace agentd::model
