// The validator's top level: known fields, their shapes and values, then the chapters.
// Pure; any thread. See validator.hpp.
#include "message_text.hpp"
#include "validator_rules.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace agentd::testing {

namespace json = boost::json;

namespace {

constexpr std::int64_t most_tokens = 128'000;
constexpr std::int64_t least_thinking_budget = 1024;

constexpr std::array top_fields{
    field_rule{"model", shape::text, true},
    field_rule{"messages", shape::list, true},
    field_rule{"max_tokens", shape::integer, false},
    field_rule{"system", shape::text_or_list, false},
    field_rule{"tools", shape::list, false},
    field_rule{"tool_choice", shape::object, false},
    field_rule{"stream", shape::flag, false},
    field_rule{"thinking", shape::object, false},
    field_rule{"output_config", shape::object, false},
    field_rule{"metadata", shape::object, false},
    field_rule{"stop_sequences", shape::list, false},
    field_rule{"service_tier", shape::text, false},
    field_rule{"speed", shape::text, false},
    field_rule{"inference_geo", shape::text, false},
    field_rule{"container", shape::any, false},
    field_rule{"diagnostics", shape::object, false},
    field_rule{"cache_control", shape::object, false},
    field_rule{"temperature", shape::any, false},
    field_rule{"top_p", shape::any, false},
    field_rule{"top_k", shape::any, false},
    field_rule{"context_management", shape::object, false},
    field_rule{"compaction", shape::object, false},
    field_rule{"thread", shape::object, false},
    field_rule{"fallbacks", shape::any, false},
};

struct beta_field {
    std::string_view field;
    std::string_view beta; ///< what the beta header must name for it
};

constexpr std::array beta_fields{
    beta_field{"context_management", "context-management-"},
    beta_field{"compaction", "compact-"},
    beta_field{"thread", "message-threads-"},
    beta_field{"fallbacks", "server-side-fallback-"},
};

complaint check_max_tokens(const json::object& body, const validation_context& context)
{
    const auto* value = body.if_contains("max_tokens");
    if (context.count_tokens)
        return value == nullptr ? complaint{} : "max_tokens: Extra inputs are not permitted";
    if (value == nullptr)
        return "max_tokens: Field required";
    if (value->is_uint64())
        return "max_tokens: number is too large";
    if (value->get_int64() < 1)
        return "max_tokens: Input should be greater than or equal to 1";
    if (value->get_int64() > most_tokens)
        return "max_tokens: " + std::to_string(value->get_int64()) +
            " > 128000, which is the maximum allowed number of output tokens";
    return std::nullopt;
}

complaint one_of(const json::object& object, std::string_view field, const std::string& path,
    std::initializer_list<std::string_view> allowed)
{
    const auto* value = object.if_contains(field);
    if (value == nullptr)
        return std::nullopt;
    if (value->is_string() &&
        std::ranges::find(allowed, std::string_view{value->get_string()}) != allowed.end())
        return std::nullopt;
    std::string wanted;
    for (auto name : allowed)
        wanted += (wanted.empty() ? "'" : ", '") + std::string{name} + "'";
    return below(path, field) + ": Input should be " + wanted;
}

complaint check_thinking(const json::object& body)
{
    const auto* value = body.if_contains("thinking");
    if (value == nullptr)
        return std::nullopt;
    const auto& thinking = value->get_object();
    constexpr field_rule rules[] = {{"type", shape::text, true}, {"display", shape::text, false},
        {"budget_tokens", shape::integer, false}, {"block_binding", shape::object, false}};
    if (auto wrong = check_fields(thinking, rules, "thinking"))
        return wrong;
    if (auto wrong = one_of(
            thinking, "type", "thinking", {"adaptive", "enabled", "disabled", "between_tools"}))
        return wrong;
    if (auto wrong = one_of(thinking, "display", "thinking", {"summarized", "omitted"}))
        return wrong;
    if (text_field(thinking, "type") != "enabled")
        return std::nullopt;
    const auto* budget = thinking.if_contains("budget_tokens");
    if (budget == nullptr || !budget->is_int64() || budget->get_int64() < least_thinking_budget)
        return "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024";
    const auto* most = body.if_contains("max_tokens");
    if (most != nullptr && most->is_int64() && budget->get_int64() >= most->get_int64())
        return "max_tokens: must be greater than thinking.budget_tokens";
    return std::nullopt;
}

complaint check_small_objects(const json::object& body)
{
    if (const auto* config = body.if_contains("output_config")) {
        constexpr field_rule rules[] = {{"effort", shape::text, false},
            {"format", shape::object, false}, {"task_budget", shape::object, false}};
        if (auto wrong = check_fields(config->get_object(), rules, "output_config"))
            return wrong;
        if (auto wrong = one_of(config->get_object(), "effort", "output_config",
                {"low", "medium", "high", "xhigh", "max"}))
            return wrong;
    }
    if (const auto* metadata = body.if_contains("metadata")) {
        constexpr field_rule rules[] = {{"user_id", shape::any, false}};
        if (auto wrong = check_fields(metadata->get_object(), rules, "metadata"))
            return wrong;
    }
    if (auto wrong = one_of(body, "service_tier", "", {"auto", "standard_only"}))
        return wrong;
    return one_of(body, "speed", "", {"standard", "fast"});
}

complaint check_stop_sequences(const json::object& body)
{
    const auto* list = list_field(body, "stop_sequences");
    if (list == nullptr)
        return std::nullopt;
    for (std::size_t i = 0; i < list->size(); ++i) {
        const auto* text = (*list)[i].if_string();
        if (text == nullptr)
            return below("stop_sequences", i) + ": Input should be a valid string";
        if (is_blank(*text))
            return "stop_sequences: each stop sequence must contain non-whitespace";
    }
    return std::nullopt;
}

complaint check_top_level(const json::object& body, const validation_context& context)
{
    if (auto wrong = check_fields(body, top_fields, ""))
        return wrong;
    for (const auto& [field, beta] : beta_fields)
        if (body.contains(field) && context.betas.find(beta) == std::string_view::npos)
            return std::string{field} + ": Extra inputs are not permitted";
    for (auto field : {"temperature", "top_p", "top_k"})
        if (body.contains(field))
            return std::string{field} + ": this parameter is not supported by this model";
    if (text_field(body, "model").empty())
        return "model: String should have at least 1 character";
    if (auto wrong = check_max_tokens(body, context))
        return wrong;
    if (context.count_tokens && body.contains("stream"))
        return "stream: Extra inputs are not permitted";
    if (auto wrong = check_thinking(body))
        return wrong;
    if (auto wrong = check_small_objects(body))
        return wrong;
    return check_stop_sequences(body);
}

} // namespace

complaint validate_request(const json::object& body, const validation_context& context)
{
    cache_marks marks;
    if (auto wrong = check_top_level(body, context))
        return wrong;
    if (auto wrong = check_tools(body, marks))
        return wrong;
    if (const auto* system = body.if_contains("system"))
        if (auto wrong = check_system(*system, marks))
            return wrong;
    if (auto wrong = check_messages(body.at("messages").get_array(), context, marks))
        return wrong;
    if (const auto* automatic = body.if_contains("cache_control"))
        return marks.add(*automatic, "cache_control");
    return std::nullopt;
}

} // namespace agentd::testing
