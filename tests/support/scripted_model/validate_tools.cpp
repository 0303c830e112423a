// The validator's chapter on `tools`, `tool_choice` and `system`. Pure; any thread.
#include "message_text.hpp"
#include "validator_rules.hpp"

#include <array>
#include <set>

namespace agentd::testing {

namespace json = boost::json;

namespace {

constexpr std::size_t longest_tool_name = 64;

constexpr std::array tool_fields{
    field_rule{"name", shape::text, true},
    field_rule{"description", shape::text, false},
    field_rule{"input_schema", shape::object, true},
    field_rule{"cache_control", shape::object, false},
    field_rule{"strict", shape::flag, false},
    field_rule{"defer_loading", shape::flag, false},
    field_rule{"input_examples", shape::list, false},
    field_rule{"eager_input_streaming", shape::flag, false},
    field_rule{"type", shape::text, false},
};

complaint check_client_tool(const json::object& tool, const std::string& path)
{
    if (auto wrong = check_fields(tool, tool_fields, path + ".custom"))
        return wrong;
    if (!is_word(text_field(tool, "name"), longest_tool_name))
        return path + ".custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'";
    if (text_field(tool.at("input_schema").get_object(), "type") != "object")
        return path + ".custom.input_schema.type: Input should be 'object'";
    return std::nullopt;
}

complaint check_tool_list(
    const json::array& tools, std::set<std::string_view>& names, cache_marks& marks)
{
    for (std::size_t i = 0; i < tools.size(); ++i) {
        auto path = below("tools", i);
        const auto* tool = tools[i].if_object();
        if (tool == nullptr)
            return path + ": Input should be a valid dictionary";
        // Server tools carry a dated type and fields of their own; they are taken as they are.
        auto type = text_field(*tool, "type");
        if (type.empty() || type == "custom")
            if (auto wrong = check_client_tool(*tool, path))
                return wrong;
        if (!names.insert(text_field(*tool, "name")).second)
            return "tools: Tool names must be unique.";
        if (const auto* mark = tool->if_contains("cache_control"))
            if (auto wrong = marks.add(*mark, path + ".cache_control"))
                return wrong;
    }
    return std::nullopt;
}

complaint check_choice(const json::object& body, const std::set<std::string_view>& names)
{
    constexpr std::array fields{field_rule{"type", shape::text, true},
        field_rule{"name", shape::text, false},
        field_rule{"disable_parallel_tool_use", shape::flag, false}};
    const auto& choice = body.at("tool_choice").get_object();
    if (names.empty())
        return "tool_choice: may only be specified while providing tools";
    if (auto wrong = check_fields(choice, fields, "tool_choice"))
        return wrong;
    auto type = text_field(choice, "type");
    if (type != "auto" && type != "any" && type != "tool" && type != "none")
        return "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'";
    if ((type == "tool") != choice.contains("name"))
        return type == "tool" ? "tool_choice.tool.name: Field required"
                              : "tool_choice.name: Extra inputs are not permitted";
    if (type == "tool" && !names.contains(text_field(choice, "name")))
        return "tool_choice: Tool '" + std::string{text_field(choice, "name")} +
            "' not found in provided tools";
    if ((type == "any" || type == "tool") && body.contains("thinking"))
        return "tool_choice: Thinking may not be enabled when tool_choice forces tool use.";
    return std::nullopt;
}

} // namespace

complaint check_tools(const json::object& body, cache_marks& marks)
{
    std::set<std::string_view> names;
    if (const auto* tools = list_field(body, "tools"))
        if (auto wrong = check_tool_list(*tools, names, marks))
            return wrong;
    return body.contains("tool_choice") ? check_choice(body, names) : std::nullopt;
}

complaint check_system(const json::value& system, cache_marks& marks)
{
    if (const auto* text = system.if_string())
        return text->empty() ? complaint{"system: text content blocks must be non-empty"}
                             : std::nullopt;
    const auto& blocks = system.get_array();
    for (std::size_t i = 0; i < blocks.size(); ++i)
        if (auto wrong = check_block(blocks[i], place::system, below("system", i), marks))
            return wrong;
    return std::nullopt;
}

} // namespace agentd::testing
