// Byte ranges of a JSON text: members of an object, elements of an array.
// A parsed value has lost how its bytes were written; the checks that history is repeated
// byte for byte need exactly that. The text must already have been accepted by a real
// parser: on broken text the answers are meaningless, but stay inside the text.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

/// One member of an object. All views point into the scanned text.
struct raw_member {
    std::string_view name;  ///< between the quotes, escapes not decoded
    std::string_view value; ///< without white space around it
    std::string_view whole; ///< from the first quote of the name to the end of the value
};

/// The members of an object in the order written; none if the text is no object.
std::vector<raw_member> raw_members(std::string_view object);

/// The elements of an array in the order written; none if the text is no array.
std::vector<std::string_view> raw_elements(std::string_view array);

/// The value of the last member of this name ("" if there is none).
std::string_view raw_value(std::string_view object, std::string_view name);

/// The message as written, without the `cache_control` members of its blocks and of the
/// blocks inside its tool results. Other bytes are kept as they are.
std::string without_cache_marks(std::string_view message);

/// The same for a `system` or `tools` value: an array whose objects may carry marks.
std::string without_cache_marks_in_list(std::string_view list);

} // namespace agentd::testing
