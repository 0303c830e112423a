// The validator's chapter on content blocks: which types exist, where each may stand and
// which fields it has. Blocks of server tools are taken as they are: they are only ever
// repeated to the server that made them. Pure; any thread.
#include "message_text.hpp"
#include "validator_rules.hpp"

#include <array>

namespace agentd::testing {

namespace json = boost::json;

namespace {

constexpr unsigned in(place a)
{
    return static_cast<unsigned>(a);
}
constexpr unsigned in(place a, place b)
{
    return in(a) | in(b);
}

constexpr std::array text_fields{field_rule{"type", shape::text, true},
    field_rule{"text", shape::text, true}, field_rule{"cache_control", shape::object, false},
    field_rule{"citations", shape::any, false}};
constexpr std::array image_fields{field_rule{"type", shape::text, true},
    field_rule{"source", shape::object, true}, field_rule{"cache_control", shape::object, false}};
constexpr std::array document_fields{field_rule{"type", shape::text, true},
    field_rule{"source", shape::object, true}, field_rule{"title", shape::any, false},
    field_rule{"context", shape::any, false}, field_rule{"citations", shape::any, false},
    field_rule{"cache_control", shape::object, false}};
constexpr std::array search_fields{field_rule{"type", shape::text, true},
    field_rule{"source", shape::text, true}, field_rule{"title", shape::text, true},
    field_rule{"content", shape::list, true}, field_rule{"citations", shape::any, false},
    field_rule{"cache_control", shape::object, false}};
constexpr std::array thinking_fields{field_rule{"type", shape::text, true},
    field_rule{"thinking", shape::text, true}, field_rule{"signature", shape::text, true}};
constexpr std::array redacted_fields{
    field_rule{"type", shape::text, true}, field_rule{"data", shape::text, true}};
constexpr std::array tool_use_fields{field_rule{"type", shape::text, true},
    field_rule{"id", shape::text, true}, field_rule{"name", shape::text, true},
    field_rule{"input", shape::object, true}, field_rule{"caller", shape::object, false},
    field_rule{"toolset_name", shape::text, false},
    field_rule{"cache_control", shape::object, false}};
constexpr std::array tool_result_fields{field_rule{"type", shape::text, true},
    field_rule{"tool_use_id", shape::text, true}, field_rule{"content", shape::text_or_list, false},
    field_rule{"is_error", shape::flag, false}, field_rule{"toolset_name", shape::text, false},
    field_rule{"cache_control", shape::object, false}};
constexpr std::array reference_fields{
    field_rule{"type", shape::text, true}, field_rule{"tool_name", shape::text, true}};

struct block_rule {
    std::string_view type;
    unsigned places;
    std::span<const field_rule> fields;
};

constexpr unsigned everywhere = 15;
const std::array block_rules{
    block_rule{"text", everywhere, text_fields},
    block_rule{"image", in(place::user, place::tool_result), image_fields},
    block_rule{"document", in(place::user, place::tool_result), document_fields},
    block_rule{"search_result", in(place::user, place::tool_result), search_fields},
    block_rule{"tool_reference", in(place::tool_result), reference_fields},
    block_rule{"thinking", in(place::assistant), thinking_fields},
    block_rule{"redacted_thinking", in(place::assistant), redacted_fields},
    block_rule{"tool_use", in(place::assistant), tool_use_fields},
    block_rule{"tool_result", in(place::user), tool_result_fields},
};

bool is_server_block(std::string_view type)
{
    return type == "server_tool_use" || type == "container_upload" || type == "compaction" ||
        type == "fallback" || type.starts_with("mcp_") ||
        (type.ends_with("_tool_result") && type != "tool_result");
}

std::string_view name_of(place where)
{
    switch (where) {
    case place::user: return "user messages";
    case place::assistant: return "assistant messages";
    case place::tool_result: return "tool results";
    case place::system: break;
    }
    return "the system prompt";
}

complaint check_source(const json::object& block, const std::string& path)
{
    const auto* source = block.if_contains("source");
    if (source == nullptr || !source->is_object())
        return std::nullopt;
    const auto& object = source->get_object();
    auto type = text_field(object, "type");
    if (type != "base64" && type != "url" && type != "file" && type != "text" && type != "content")
        return path + ".source.type: Input should be 'base64', 'url' or 'file'";
    if (type == "base64" &&
        (text_field(object, "media_type").empty() || text_field(object, "data").empty()))
        return path + ".source.base64: media_type and data: Field required";
    return std::nullopt;
}

complaint check_result_content(
    const json::object& block, const std::string& path, cache_marks& marks)
{
    const auto* content = block.if_contains("content");
    if (content == nullptr)
        return std::nullopt;
    if (const auto* text = content->if_string())
        return text->empty() ? complaint{path + ".content: text content blocks must be non-empty"}
                             : std::nullopt;
    const auto& parts = content->get_array();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        auto inner = below(path + ".content", i);
        if (auto wrong = check_block(parts[i], place::tool_result, inner, marks))
            return wrong;
    }
    return std::nullopt;
}

complaint check_values(
    std::string_view type, const json::object& block, const std::string& path, cache_marks& marks)
{
    if (type == "text" && text_field(block, "text").empty())
        return path + ": text content blocks must be non-empty";
    if (type == "tool_use" && !is_word(text_field(block, "id"), std::string_view::npos))
        return path + ".id: String should match pattern '^[a-zA-Z0-9_-]+$'";
    if (type == "tool_use" && !is_word(text_field(block, "name"), 128))
        return path + ".name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'";
    if (type == "tool_result")
        return check_result_content(block, path, marks);
    return check_source(block, path);
}

} // namespace

complaint check_block(
    const json::value& block, place where, const std::string& path, cache_marks& marks)
{
    const auto* object = block.if_object();
    if (object == nullptr)
        return path + ": Input should be a valid dictionary";
    auto type = text_field(*object, "type");
    if (type.empty())
        return path + ".type: Field required";
    if (is_server_block(type))
        return where == place::assistant
            ? complaint{}
            : path + ": `" + std::string{type} + "` blocks can only be in assistant messages";
    for (const auto& rule : block_rules) {
        if (rule.type != type)
            continue;
        if ((rule.places & in(where)) == 0)
            return path + ": `" + std::string{type} + "` blocks are not permitted in " +
                std::string{name_of(where)};
        auto typed = below(path, type);
        if (auto wrong = check_fields(*object, rule.fields, typed))
            return wrong;
        if (auto wrong = check_values(type, *object, typed, marks))
            return wrong;
        const auto* mark = object->if_contains("cache_control");
        return mark == nullptr ? complaint{} : marks.add(*mark, typed + ".cache_control");
    }
    return path + ": Input tag '" + std::string{type} +
        "' found using 'type' does not match any of the expected tags";
}

} // namespace agentd::testing
