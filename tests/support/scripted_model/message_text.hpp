// What a message says: its texts, its tool results, its blocks.
// Shared by matching (expectations), conversations (the first message is the key) and
// recording. Pure; any thread. Tolerates any JSON: what has another shape has no text.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

/// The string in `object[name]`, "" if it is none.
std::string_view text_field(const boost::json::object& object, std::string_view name);

/// The array in `object[name]`, nullptr if it is none.
const boost::json::array* list_field(const boost::json::object& object, std::string_view name);

/// The blocks of a message; string content counts as no block. nullptr: content is no array.
const boost::json::array* blocks_of(const boost::json::value& message);

/// `type` of a block, "" if it has none.
std::string_view type_of(const boost::json::value& block);

/// Texts of the text blocks (or the string content) of a message, in order.
std::vector<std::string> plain_texts(const boost::json::value& message);

/// The text of a tool_result: its string, or its text blocks joined by a line feed.
std::string result_text(const boost::json::object& tool_result);

/// Everything readable in a message, also inside tool results and tool calls, one per line.
std::string all_text(const boost::json::value& message);

/// Texts joined by a line feed.
std::string joined(const std::vector<std::string>& texts);

/// The text cut at `limit` bytes on a character boundary, with a mark when something is missing.
std::string shortened(std::string_view text, std::size_t limit);

} // namespace agentd::testing
