// See matcher.hpp. Pure; any thread.
#include "matcher.hpp"

#include "message_text.hpp"
#include "text_findings.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <utility>

namespace agentd::testing {

namespace json = boost::json;

namespace {

const json::value& last_message(const matched_request& request)
{
    return request.body.at("messages").get_array().back();
}

std::string last_text(const matched_request& request)
{
    return all_text(last_message(request));
}

std::string history_text(const matched_request& request)
{
    std::string all;
    for (const auto& message : request.body.at("messages").get_array())
        all.append(all_text(message)).push_back('\n');
    return all;
}

std::string system_text(const matched_request& request)
{
    const auto* system = request.body.if_contains("system");
    if (system == nullptr)
        return {};
    if (const auto* text = system->if_string())
        return std::string{*text};
    std::vector<std::string> texts;
    for (const auto& block : system->get_array())
        texts.emplace_back(text_field(block.get_object(), "text"));
    return joined(texts);
}

// Results of the last message in the order of the calls they answer.
std::vector<const json::object*> results_in_call_order(const json::array& messages)
{
    std::vector<const json::object*> results;
    const auto* blocks = blocks_of(messages.back());
    if (blocks == nullptr || messages.size() < 2)
        return results;
    const auto* calls = blocks_of(messages[messages.size() - 2]);
    for (std::size_t c = 0; calls != nullptr && c < calls->size(); ++c) {
        if (type_of((*calls)[c]) != "tool_use")
            continue;
        auto id = text_field((*calls)[c].get_object(), "id");
        for (const auto& block : *blocks)
            if (type_of(block) == "tool_result" &&
                text_field(block.get_object(), "tool_use_id") == id)
                results.push_back(&block.get_object());
    }
    return results;
}

finding result_unmet(const result_expectation& wanted, const json::object& result,
    const std::string& path, const variables& known)
{
    auto text = result_text(result);
    if (auto missing = lacks(path + ".contains", wanted.contains, text, known))
        return missing;
    if (auto there = must_hold(path + ".not_contains", wanted.not_contains, text, known))
        return there;
    const auto* flag = result.if_contains("is_error");
    bool is_error = flag != nullptr && flag->get_bool();
    if (wanted.is_error && *wanted.is_error != is_error)
        return path + ".is_error: must be " + (*wanted.is_error ? "true" : "false") +
            "; the result reads " + quoted(text);
    return std::nullopt;
}

finding results_unmet(
    const expectation& wanted, const json::array& messages, const variables& known)
{
    if (!wanted.tool_results)
        return std::nullopt;
    auto results = results_in_call_order(messages);
    if (results.size() != wanted.tool_results->size())
        return "tool_results: " + std::to_string(wanted.tool_results->size()) + " wanted, " +
            std::to_string(results.size()) + " in the last message";
    for (std::size_t i = 0; i < results.size(); ++i) {
        auto path = "tool_results[" + std::to_string(i) + "]";
        if (auto missing = result_unmet((*wanted.tool_results)[i], *results[i], path, known))
            return missing;
    }
    return std::nullopt;
}

finding headers_unmet(const expectation& wanted, const header_list& headers, const variables& known)
{
    for (const auto& [name, value] : wanted.headers) {
        auto found = header(headers, name);
        if (!value && found)
            return "headers." + name + ": must be absent";
        if (value && !found)
            return "headers." + name + ": is absent";
        if (value && *found != substituted(std::string_view{*value}, known))
            return "headers." + name + ": " + quoted(*value) + " wanted, is " + quoted(*found);
    }
    return std::nullopt;
}

finding number_unmet(
    std::string_view field, const std::optional<std::size_t>& wanted, std::size_t is)
{
    if (!wanted || *wanted == is)
        return std::nullopt;
    return std::string{field} + ": " + std::to_string(*wanted) + " wanted, is " +
        std::to_string(is);
}

finding text_unmet(
    std::string_view field, const std::optional<std::string>& wanted, std::string_view is)
{
    if (!wanted || *wanted == is)
        return std::nullopt;
    return std::string{field} + ": " + quoted(*wanted) + " wanted, is " + quoted(is);
}

finding tools_unmet(const expectation& wanted, const json::object& body)
{
    const auto* tools = list_field(body, "tools");
    for (const auto& name : wanted.tools) {
        auto is_it = [&name](const json::value& tool) {
            return text_field(tool.get_object(), "name") == name;
        };
        if (tools == nullptr || std::ranges::none_of(*tools, is_it))
            return "tools: no tool " + quoted(name);
    }
    return std::nullopt;
}

finding body_unmet(const expectation& wanted, const matched_request& request)
{
    const auto& body = request.body;
    if (auto wrong = text_unmet("model", wanted.model, text_field(body, "model")))
        return wrong;
    if (auto wrong = number_unmet(
            "message_count", wanted.message_count, body.at("messages").get_array().size()))
        return wrong;
    const auto* most = body.if_contains("max_tokens");
    if (auto wrong = number_unmet(
            "max_tokens", wanted.max_tokens, most == nullptr ? 0 : most->to_number<std::size_t>()))
        return wrong;
    const auto* stream = body.if_contains("stream");
    if (wanted.stream && *wanted.stream != (stream != nullptr && stream->get_bool()))
        return std::string{"stream: must be "} + (*wanted.stream ? "true" : "false");
    const auto* blocks = blocks_of(last_message(request));
    if (auto wrong = text_unmet("last_block_type", wanted.last_block_type,
            blocks == nullptr ? "text" : type_of(blocks->back())))
        return wrong;
    return tools_unmet(wanted, body);
}

finding history_unmet(
    const expectation& wanted, const matched_request& request, const variables& known)
{
    if (wanted.history_contains.empty() && wanted.history_not_contains.empty() &&
        wanted.history_in_order.empty() && wanted.history_once.empty())
        return std::nullopt;
    auto history = history_text(request);
    if (auto missing = lacks("history_contains", wanted.history_contains, history, known))
        return missing;
    if (auto there = must_hold("history_not_contains", wanted.history_not_contains, history, known))
        return there;
    if (auto missing = lacks_order("history_in_order", wanted.history_in_order, history, known))
        return missing;
    return not_once(wanted.history_once, history, known);
}

finding texts_unmet(
    const expectation& wanted, const matched_request& request, const variables& known)
{
    auto last = last_text(request);
    if (auto missing = lacks("contains", wanted.contains, last, known))
        return missing;
    if (auto there = must_hold("not_contains", wanted.not_contains, last, known))
        return there;
    if (auto missing = lacks_order("contains_in_order", wanted.contains_in_order, last, known))
        return missing;
    if (auto missing = lacks_matches(wanted.matches, last, known))
        return missing;
    return history_unmet(wanted, request, known);
}

} // namespace

finding unmet(const expectation& wanted, const matched_request& request, const variables& known)
{
    if (auto missing = texts_unmet(wanted, request, known))
        return missing;
    if (auto missing = results_unmet(wanted, request.body.at("messages").get_array(), known))
        return missing;
    if (auto missing =
            lacks("system_contains", wanted.system_contains, system_text(request), known))
        return missing;
    if (auto missing = headers_unmet(wanted, request.headers, known))
        return missing;
    return body_unmet(wanted, request);
}

finding capture(const step& from, const matched_request& request, variables& known)
{
    if (from.capture.empty())
        return std::nullopt;
    auto whole = last_text(request);
    for (const auto& [name, pattern] : from.capture) {
        auto filled = substituted(std::string_view{pattern}, known);
        auto match = first_group(whole, filled);
        if (!match)
            return "capture." + name + ": " + quoted(filled) + " does not match " + quoted(whole);
        known.insert_or_assign(name, std::move(*match));
    }
    return std::nullopt;
}

} // namespace agentd::testing
