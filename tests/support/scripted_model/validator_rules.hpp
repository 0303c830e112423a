// Inside the validator: fields and their shapes, shared by its chapters
// (validate_request: top level; validate_tools; validate_blocks; validate_messages).
// Pure; any thread.
#pragma once

#include "validator.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace agentd::testing {

/// The shapes a field can be asked to have.
enum class shape { text, flag, integer, object, list, text_or_list, any };

/// One field that an object may (or must) have.
struct field_rule {
    std::string_view name;
    shape is;
    bool required;
};

/// Counts cache marks in the order in which the prompt is rendered: tools, system, messages.
class cache_marks {
public:
    /// Checks one `cache_control` value and counts it.
    complaint add(const boost::json::value& mark, const std::string& path);

private:
    int count_ = 0;
    bool short_seen_ = false; ///< longer times to live must precede shorter ones
};

/// Unknown fields, missing fields, wrong shapes of one object.
complaint check_fields(
    const boost::json::object& object, std::span<const field_rule> rules, const std::string& path);

/// Whether a value has a shape.
bool has_shape(const boost::json::value& value, shape wanted);

/// White space only, or nothing.
bool is_blank(std::string_view text);

/// `^[a-zA-Z0-9_-]{1,limit}$`
bool is_word(std::string_view text, std::size_t limit);

/// "path.name", or "name" when the path is empty.
std::string below(const std::string& path, std::string_view name);
std::string below(const std::string& path, std::size_t index);

/// `tools` and `tool_choice`.
complaint check_tools(const boost::json::object& body, cache_marks& marks);

/// `system`: a string or text blocks.
complaint check_system(const boost::json::value& system, cache_marks& marks);

/// Where a block stands; block types are allowed in some of them only.
enum class place : unsigned { user = 1, assistant = 2, tool_result = 4, system = 8 };

/// One content block: its type, place, fields and cache mark.
complaint check_block(
    const boost::json::value& block, place where, const std::string& path, cache_marks& marks);

/// All of `messages`: roles, blocks, and the pairing of tool calls and results.
complaint check_messages(
    const boost::json::array& messages, const validation_context& context, cache_marks& marks);

/// The pairing of tool calls and results alone (part of check_messages).
complaint check_tool_pairs(const boost::json::array& messages);

} // namespace agentd::testing
