#include "proto/messages/encode.hpp"

#include "proto/json/reader.hpp"
#include "proto/json/writer.hpp"

#include <algorithm>
#include <ranges>

namespace agentd::proto::messages {
namespace {

base::error bad_history(std::string_view reason)
{
    return {errc::bad_history, "stored message cannot be read: " + std::string{reason}};
}

bool is_type(const json::value& block, std::string_view type)
{
    const std::string* found = block.find_string("type");
    return found != nullptr && *found == type;
}

// The blocks of an encoded content array.
base::result<json::document> read_content(std::string_view content)
{
    auto parsed = json::parse(content);
    if (!parsed)
        return std::unexpected(bad_history(parsed.error().text));
    if (!parsed->root().is(json::kind::array))
        return std::unexpected(bad_history("content is no array"));
    return parsed;
}

const json::value* last_tool_result(const json::value& content)
{
    const auto items = content.items();
    const auto found = std::ranges::find_if(items.rbegin(), items.rend(),
        [](const json::value& block) { return is_type(block, "tool_result"); });
    return found == items.rend() ? nullptr : &*found;
}

void append_list(std::string& out, std::span<const std::string> blocks)
{
    for (const auto& block : blocks) {
        if (!out.ends_with('['))
            out += ',';
        out += block;
    }
}

} // namespace

std::string_view error_text(errc value)
{
    switch (value) {
    case errc::bad_history: return "bad history";
    case errc::bad_reply: return "bad reply";
    case errc::too_large: return "too large";
    }
    return "unknown message error";
}

base::error bad_reply(std::string reason)
{
    return {errc::bad_reply, std::move(reason)};
}

bool is_blank(std::string_view text)
{
    return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

std::string text_block(std::string_view text)
{
    std::string out;
    json::object_writer{out}.member("type", "text").member("text", text);
    return out;
}

std::string tool_result_block(std::string_view tool_use_id, std::string_view text, bool is_error)
{
    std::string out;
    json::object_writer block{out};
    block.member("type", "tool_result").member("tool_use_id", tool_use_id);
    std::string inside = "[";
    inside += text_block(is_blank(text) ? "(no output)" : text);
    inside += ']';
    block.raw("content", inside);
    if (is_error)
        block.member("is_error", true);
    block.close();
    return out;
}

std::string system_blocks(std::span<const std::string> parts)
{
    std::vector<std::string> blocks;
    for (const auto& part : parts) {
        if (!is_blank(part))
            blocks.push_back(text_block(part));
    }
    return blocks.empty() ? std::string{} : content_of(blocks);
}

std::string content_of(std::span<const std::string> blocks)
{
    std::string out = "[";
    append_list(out, blocks);
    out += ']';
    return out;
}

std::string append_blocks(std::string_view content, std::span<const std::string> blocks)
{
    std::string out{content.substr(0, content.rfind(']'))};
    append_list(out, blocks);
    out += ']';
    return out;
}

bool has_tool_result(std::string_view content)
{
    const auto parsed = read_content(content);
    return parsed && last_tool_result(parsed->root()) != nullptr;
}

base::result<std::string> add_to_last_tool_result(std::string_view content, std::string_view block)
{
    const auto parsed = read_content(content);
    if (!parsed)
        return std::unexpected(parsed.error());
    const json::value* result = last_tool_result(parsed->root());
    if (result == nullptr)
        return std::unexpected(bad_history("there is no tool_result"));
    const json::value* inside = result->find("content");

    // What stands in place of [from, to) of the content: an array that ends with the block.
    std::string_view old = inside == nullptr ? std::string_view{} : inside->raw();
    std::string changed;
    if (inside == nullptr) { // allowed by the wire: a result without output
        old = result->raw().substr(result->raw().size() - 1, 0);
        changed.append(",\"content\":[").append(block) += ']';
    } else if (inside->is(json::kind::string)) {
        changed.append("[{\"type\":\"text\",\"text\":").append(old).append("},").append(block) +=
            ']';
    } else if (inside->is(json::kind::array)) {
        const std::string added{block};
        changed = append_blocks(old, std::span{&added, 1});
    } else {
        return std::unexpected(bad_history("a tool_result's content is neither text nor blocks"));
    }
    const auto from = static_cast<std::size_t>(old.data() - parsed->bytes().data());
    std::string out{content.substr(0, from)};
    out += changed;
    out += content.substr(from + old.size());
    return out;
}

base::result<std::vector<std::string>> tool_use_ids(std::string_view content)
{
    const auto parsed = read_content(content);
    if (!parsed)
        return std::unexpected(parsed.error());
    std::vector<std::string> ids;
    for (const auto& block : parsed->root().items()) {
        const std::string* id = block.find_string("id");
        if (id != nullptr && is_type(block, "tool_use"))
            ids.push_back(*id);
    }
    return ids;
}

std::string first_block(std::string_view content)
{
    const auto parsed = read_content(content);
    if (!parsed || parsed->root().items().empty())
        return {};
    const std::string first[] = {std::string{parsed->root().items().front().raw()}};
    return content_of(first);
}

base::result<std::string> text_of(std::string_view content)
{
    const auto parsed = read_content(content);
    if (!parsed)
        return std::unexpected(parsed.error());
    std::string out;
    for (const auto& block : parsed->root().items()) {
        const std::string* text = block.find_string("text");
        if (text == nullptr || !is_type(block, "text"))
            continue;
        if (!out.empty())
            out += "\n\n";
        out += *text;
    }
    return out;
}

std::string message(std::string_view role, std::string_view content)
{
    std::string out;
    out.reserve(content.size() + role.size() + 24);
    json::object_writer{out}.member("role", role).raw("content", content);
    return out;
}

std::string user_message(std::string_view content)
{
    return message("user", content);
}

std::string assistant_message(std::string_view content)
{
    return message("assistant", content);
}

} // namespace agentd::proto::messages
