// See history_check.hpp. Pure; any thread.
#include "history_check.hpp"

#include "message_text.hpp"
#include "raw_json.hpp"
#include "validator_rules.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>

namespace agentd::testing {

namespace json = boost::json;

namespace {

using raw_list = std::vector<std::string_view>;

// Both texts around the first byte in which they differ.
std::string difference(std::string_view before, std::string_view now)
{
    constexpr std::size_t lead = 40;
    constexpr std::size_t shown = 120;
    auto ends = std::ranges::mismatch(before, now);
    auto at = static_cast<std::size_t>(ends.in1 - before.begin());
    auto from = at > lead ? at - lead : 0;
    while (from > 0 && (static_cast<unsigned char>(before[from]) & 0xC0U) == 0x80U)
        --from;
    return "byte " + std::to_string(at) + ": was " + shortened(before.substr(from), shown) +
        " and is " + shortened(now.substr(std::min(from, now.size())), shown);
}

bool is_role(std::string_view message, std::string_view role)
{
    auto value = raw_value(message, "role");
    return value.size() == role.size() + 2 && value.substr(1, role.size()) == role;
}

json::value parsed(std::string_view text)
{
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = 128;
    return json::parse({text.data(), text.size()}, error, {}, options);
}

// One element of background results for all that was drained: it grows inside.
bool element_grows(std::string_view before, std::string_view now)
{
    constexpr std::string_view opening = "\"<background-results>";
    constexpr std::string_view closing = "</background-results>\"";
    auto old_text = raw_value(before, "text");
    auto new_text = raw_value(now, "text");
    return old_text.starts_with(opening) && old_text.ends_with(closing) &&
        new_text.ends_with(closing) && new_text.size() > old_text.size() &&
        new_text.starts_with(old_text.substr(0, old_text.size() - closing.size()));
}

bool part_extends(std::string_view before, std::string_view now)
{
    return before == now || element_grows(before, now);
}

// Whether `now` is `before` with more content parts behind; a string counts as one text.
bool content_extends(std::string_view before, std::string_view now)
{
    if (before == now)
        return true;
    if (before.starts_with('"')) {
        auto parts = raw_elements(now);
        return !parts.empty() && raw_value(parts.front(), "type") == "\"text\"" &&
            raw_value(parts.front(), "text") == before;
    }
    auto old_parts = raw_elements(before);
    auto new_parts = raw_elements(now);
    return old_parts.size() <= new_parts.size() &&
        std::equal(old_parts.begin(), old_parts.end(), new_parts.begin(), part_extends);
}

bool result_extends(std::string_view before, std::string_view now)
{
    if (before == now)
        return true;
    if (raw_value(before, "type") != "\"tool_result\"")
        return false;
    for (auto field : {"type", "tool_use_id", "is_error"})
        if (raw_value(before, field) != raw_value(now, field))
            return false;
    return content_extends(raw_value(before, "content"), raw_value(now, "content"));
}

bool is_result(std::string_view block)
{
    return raw_value(block, "type") == "\"tool_result\"";
}

// Whether a message only got blocks at its end, or parts inside its last tool result, or entries
// in its element of background results.
bool message_extends(std::string_view before, std::string_view now)
{
    if (raw_value(before, "role") != raw_value(now, "role"))
        return false;
    auto old_content = raw_value(before, "content");
    auto new_content = raw_value(now, "content");
    auto old_blocks = raw_elements(old_content);
    if (old_blocks.empty())
        return content_extends(old_content, new_content);
    auto new_blocks = raw_elements(new_content);
    if (new_blocks.size() < old_blocks.size())
        return false;
    auto last = std::find_if(old_blocks.rbegin(), old_blocks.rend(), is_result);
    for (std::size_t i = 0; i < old_blocks.size(); ++i) {
        bool is_last_result = last != old_blocks.rend() && &*last == &old_blocks[i];
        if (is_last_result ? !result_extends(old_blocks[i], new_blocks[i])
                           : !part_extends(old_blocks[i], new_blocks[i]))
            return false;
    }
    return true;
}

bool is_blank_text(const json::object& block)
{
    return text_field(block, "type") == "text" && is_blank(text_field(block, "text"));
}

complaint echo_differs(const made_block& given, std::string_view raw, const std::string& path)
{
    auto value = parsed(raw);
    const auto* block = value.if_object();
    auto type = text_field(given.block, "type");
    if (block == nullptr || text_field(*block, "type") != type)
        return path + ": the reply had a `" + std::string{type} + "` block here, is " +
            shortened(raw, 200);
    for (auto field : {"text", "thinking", "signature", "data", "id", "name"})
        if (text_field(given.block, field) != text_field(*block, field))
            return path + "." + field + ": the reply had \"" +
                shortened(text_field(given.block, field), 200) + "\", is \"" +
                shortened(text_field(*block, field), 200) + "\"";
    // An input that is no JSON object cannot be repeated; what stands for it is the client's.
    const auto* object = parsed(given.input).if_object();
    if (!given.input.empty() && object != nullptr && raw_value(raw, "input") != given.input)
        return path + ".input: the reply had " + shortened(given.input, 200) + ", is " +
            shortened(raw_value(raw, "input"), 200);
    return std::nullopt;
}

complaint check_echo(const made_message& given, const raw_list& blocks, const std::string& path)
{
    std::size_t at = 0;
    for (const auto& block : given.blocks) {
        if (is_blank_text(block.block))
            continue;
        if (at == blocks.size())
            return path + ": the reply had more blocks than are repeated here";
        if (auto wrong = echo_differs(block, blocks[at], below(path + ".content", at)))
            return wrong;
        ++at;
    }
    if (at != blocks.size())
        return path + ": the reply had fewer blocks than are repeated here";
    return std::nullopt;
}

// The blocks by which the client repeated the last reply.
raw_list repeated_blocks(const sent_history& before, const sent_history& now)
{
    auto last = before.messages.size() - 1;
    if (!is_role(before.messages[last], "assistant"))
        return raw_elements(raw_value(now.messages[last + 1], "content"));
    // A continued pause_turn: the reply was appended to the open assistant message.
    auto blocks = raw_elements(raw_value(now.messages[last], "content"));
    auto had = raw_elements(raw_value(before.messages[last], "content")).size();
    blocks.erase(
        blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(std::min(had, blocks.size())));
    return blocks;
}

complaint check_fixed_parts(const sent_history& before, const sent_history& now)
{
    if (before.system != now.system)
        return "system: changed within a conversation; " + difference(before.system, now.system);
    if (before.tools != now.tools)
        return "tools: changed within a conversation; " + difference(before.tools, now.tools);
    if (now.messages.size() < before.messages.size())
        return "messages: history must only grow: " + std::to_string(before.messages.size()) +
            " messages before, " + std::to_string(now.messages.size()) + " now";
    for (std::size_t i = 0; i + 1 < before.messages.size(); ++i)
        if (before.messages[i] != now.messages[i])
            return below("messages", i) + ": history must not change; " +
                difference(before.messages[i], now.messages[i]);
    return std::nullopt;
}

complaint check_last_message(const sent_history& before, const last_answer& answer,
    const sent_history& now, append_rule rule)
{
    auto last = before.messages.size() - 1;
    const auto& was = before.messages[last];
    const auto& is = now.messages[last];
    if (was == is)
        return std::nullopt;
    bool may_grow = answer.is != last_answer::state::whole || rule == append_rule::extendable ||
        is_role(was, "assistant");
    auto path = below("messages", last);
    if (!may_grow)
        return path + ": changed after a complete reply to it; " + difference(was, is);
    if (!message_extends(was, is))
        return path + ": may only be extended; " + difference(was, is);
    return std::nullopt;
}

} // namespace

sent_history history_of(std::string_view body)
{
    sent_history out;
    for (const auto& member : raw_members(body)) {
        if (member.name == "model")
            out.model = member.value;
        else if (member.name == "system")
            out.system = without_cache_marks_in_list(member.value);
        else if (member.name == "tools")
            out.tools = without_cache_marks_in_list(member.value);
        else if (member.name == "messages")
            for (auto message : raw_elements(member.value))
                out.messages.push_back(without_cache_marks(message));
    }
    return out;
}

last_answer answer_given(const std::optional<made_message>& message, int status)
{
    last_answer out;
    if (!message) {
        out.is =
            status == 0 || status == 200 ? last_answer::state::unknown : last_answer::state::none;
        return out;
    }
    const auto& why = message->stop_reason;
    auto blank = [](const made_block& made) { return is_blank_text(made.block); };
    if (why == "refusal" || why == "model_context_window_exceeded")
        out.is = last_answer::state::fresh;
    else if (why == "max_tokens" || std::ranges::all_of(message->blocks, blank))
        out.is = last_answer::state::unknown; // may be dropped, or answered as cut off
    else
        out.is = last_answer::state::whole;
    out.message = message;
    return out;
}

complaint check_history(const sent_history& before, const last_answer& answer,
    const sent_history& now, append_rule rule)
{
    if (rule == append_rule::off || before.messages.empty() || before.model != now.model ||
        answer.is == last_answer::state::fresh)
        return std::nullopt;
    if (auto wrong = check_fixed_parts(before, now))
        return wrong;
    if (auto wrong = check_last_message(before, answer, now, rule))
        return wrong;
    auto next = before.messages.size();
    bool grew = now.messages.size() > next;
    if (grew && answer.is == last_answer::state::none && is_role(now.messages[next], "assistant"))
        return below("messages", next) + ": an assistant message that was never replied";
    bool was_paused = is_role(before.messages.back(), "assistant");
    bool repeats = was_paused ? now.messages.back() != before.messages.back() || grew : grew;
    if (answer.is != last_answer::state::whole || !repeats)
        return std::nullopt;
    return check_echo(*answer.message, repeated_blocks(before, now),
        below("messages", was_paused ? next - 1 : next));
}

} // namespace agentd::testing
