// The validator's chapter on `messages`: roles, what a message holds, and that every tool
// call is answered at once, first and exactly once. Consecutive messages of one role are
// refused although the service merges them: a client has to merge by itself, because other
// servers do not. Pure; any thread.
#include "message_text.hpp"
#include "validator_rules.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace agentd::testing {

namespace json = boost::json;

namespace {

constexpr std::size_t most_messages = 100'000;

std::string_view role_of(const json::value& message)
{
    return text_field(message.get_object(), "role");
}

complaint check_texts(const json::value& message, const std::string& path)
{
    const auto* blocks = blocks_of(message);
    if (blocks != nullptr && blocks->empty())
        return path + ".content: messages must have non-empty content";
    auto texts = plain_texts(message);
    if (blocks == nullptr && texts.front().empty())
        return path + ": text content blocks must be non-empty";
    if (!texts.empty() && std::ranges::all_of(texts, is_blank))
        return path + ": text content blocks must contain non-whitespace text";
    return std::nullopt;
}

complaint check_message(const json::value& message, const std::string& path, cache_marks& marks)
{
    constexpr std::array fields{
        field_rule{"role", shape::text, true}, field_rule{"content", shape::text_or_list, true}};
    const auto* object = message.if_object();
    if (object == nullptr)
        return path + ": Input should be a valid dictionary";
    if (auto wrong = check_fields(*object, fields, path))
        return wrong;
    auto role = text_field(*object, "role");
    if (role == "system")
        return path + ": role 'system' is not supported on this model";
    if (role != "user" && role != "assistant")
        return path + ".role: Input should be 'user' or 'assistant'";
    auto where = role == "user" ? place::user : place::assistant;
    if (const auto* blocks = blocks_of(message))
        for (std::size_t i = 0; i < blocks->size(); ++i)
            if (auto wrong = check_block((*blocks)[i], where, below(path + ".content", i), marks))
                return wrong;
    return check_texts(message, path);
}

complaint check_roles(const json::array& messages, const validation_context& context)
{
    if (role_of(messages.front()) != "user")
        return "messages.0: the first message must use the 'user' role";
    for (std::size_t i = 1; i < messages.size(); ++i)
        if (role_of(messages[i]) == role_of(messages[i - 1]))
            return below("messages", i) +
                ": roles must alternate between 'user' and 'assistant', "
                "but found two in a row with the same role";
    if (role_of(messages.back()) == "assistant" && !context.pause_turn_open)
        return "messages: This model does not support assistant message prefill. The "
               "conversation must end with a user message.";
    return std::nullopt;
}

std::vector<std::string_view> ids_in(
    const json::value& message, std::string_view type, std::string_view field)
{
    std::vector<std::string_view> ids;
    if (const auto* blocks = blocks_of(message))
        for (const auto& block : *blocks)
            if (type_of(block) == type)
                ids.push_back(text_field(block.get_object(), field));
    return ids;
}

// Results of one user message against the calls of the assistant message before it.
complaint check_results(
    const json::value& message, const std::vector<std::string_view>& calls, const std::string& path)
{
    std::set<std::string_view> seen;
    bool other_seen = false;
    const auto* blocks = blocks_of(message);
    for (std::size_t i = 0; blocks != nullptr && i < blocks->size(); ++i) {
        if (type_of((*blocks)[i]) != "tool_result") {
            other_seen = true;
            continue;
        }
        auto at = below(path + ".content", i);
        auto id = text_field((*blocks)[i].get_object(), "tool_use_id");
        if (std::ranges::find(calls, id) == calls.end())
            return at +
                ": unexpected `tool_use_id` found in `tool_result` blocks: " + std::string{id} +
                ". Each `tool_result` block must have a corresponding "
                "`tool_use` block in the previous message.";
        if (!seen.insert(id).second)
            return at +
                ": each tool_use must have a single result. Found multiple "
                "`tool_result` blocks with id: " +
                std::string{id};
        if (other_seen)
            return at + ": `tool_result` blocks must come before any other content";
    }
    return std::nullopt;
}

complaint missing_results(
    const json::value* answer, const std::vector<std::string_view>& calls, const std::string& path)
{
    std::vector<std::string_view> given;
    if (answer != nullptr)
        given = ids_in(*answer, "tool_result", "tool_use_id");
    std::string missing;
    for (auto id : calls)
        if (std::ranges::find(given, id) == given.end())
            missing += (missing.empty() ? "" : ", ") + std::string{id};
    if (missing.empty())
        return std::nullopt;
    return path +
        ": `tool_use` ids were found without `tool_result` blocks immediately after: " + missing +
        ". Each `tool_use` block must have a corresponding `tool_result` block in "
        "the next message.";
}

// While a server tool is open the next user message may hold tool results only.
complaint check_open_server_tools(
    const json::value& assistant, const json::value& answer, const std::string& path)
{
    std::set<std::string_view> done;
    for (const auto* blocks = blocks_of(assistant); const auto& block : *blocks)
        if (type_of(block).ends_with("_tool_result"))
            done.insert(text_field(block.get_object(), "tool_use_id"));
    for (auto id : ids_in(assistant, "server_tool_use", "id")) {
        const auto* blocks = blocks_of(answer);
        bool results_only = blocks != nullptr &&
            std::ranges::all_of(*blocks, [](const auto& b) { return type_of(b) == "tool_result"; });
        if (!done.contains(id) && !results_only)
            return path + ": `server_tool_use` " + std::string{id} +
                " has no result yet: only tool_result blocks may follow";
    }
    return std::nullopt;
}

} // namespace

complaint check_tool_pairs(const json::array& messages)
{
    std::set<std::string_view> all_ids;
    std::vector<std::string_view> open;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        auto path = below("messages", i);
        if (role_of(messages[i]) == "user") {
            if (auto wrong = check_results(messages[i], open, path))
                return wrong;
            open.clear();
            continue;
        }
        open = ids_in(messages[i], "tool_use", "id");
        for (auto id : open)
            if (!all_ids.insert(id).second)
                return path + ": `tool_use` ids must be unique: " + std::string{id};
        const auto* answer = i + 1 < messages.size() ? &messages[i + 1] : nullptr;
        if (auto wrong = missing_results(answer, open, path))
            return wrong;
        if (answer != nullptr && blocks_of(messages[i]) != nullptr)
            if (auto wrong =
                    check_open_server_tools(messages[i], *answer, below("messages", i + 1)))
                return wrong;
    }
    return std::nullopt;
}

complaint check_messages(
    const json::array& messages, const validation_context& context, cache_marks& marks)
{
    if (messages.empty())
        return "messages: at least one message is required";
    if (messages.size() > most_messages)
        return "messages: List should have at most 100000 items";
    for (std::size_t i = 0; i < messages.size(); ++i)
        if (auto wrong = check_message(messages[i], below("messages", i), marks))
            return wrong;
    if (auto wrong = check_roles(messages, context))
        return wrong;
    return check_tool_pairs(messages);
}

} // namespace agentd::testing
