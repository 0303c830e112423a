// The bytes of a finished block. Cases of a tool's input (wire reference §3.4):
// 1. no delta, or only empty ones: the start block's own `input` if it is a filled object,
//    else {}; 2. one JSON object: those bytes, verbatim; 3. anything else is never repaired:
//    it is cut off or invalid, and is echoed wrapped, because `input` has to be an object.
#include "proto/json/writer.hpp"
#include "proto/messages/decode.hpp"
#include "proto/messages/encode.hpp"

#include <algorithm>

namespace agentd::proto::messages {
namespace {

struct input_result {
    std::string bytes;  // an object, or what came
    std::string echoed; // an object in any case
    input_state state = input_state::complete;
};

input_result read_input(const json::value* in_start, const std::optional<std::string>& came)
{
    if (came && !is_blank(*came)) {
        const auto parsed = json::parse_object(*came, json::lone_surrogates::refuse, reply_depth);
        if (parsed) {
            std::string bytes{parsed->raw()};
            return {.bytes = bytes, .echoed = bytes, .state = input_state::complete};
        }
        std::string wrapped;
        json::object_writer{wrapped}.member("INVALID_JSON", *came);
        return {.bytes = *came,
            .echoed = std::move(wrapped),
            .state = json::is_cut_off(*came) ? input_state::cut_off : input_state::invalid};
    }
    if (in_start == nullptr || in_start->is(json::kind::null))
        return {.bytes = "{}", .echoed = "{}"};
    std::string bytes{in_start->raw()};
    if (in_start->is(json::kind::object) && json::parse(bytes)) // no half a surrogate pair
        return {.bytes = bytes, .echoed = bytes, .state = input_state::complete};
    std::string wrapped;
    json::object_writer{wrapped}.member("INVALID_JSON", bytes);
    return {.bytes = bytes, .echoed = std::move(wrapped), .state = input_state::invalid};
}

block_kind kind_of(std::string_view type)
{
    if (type == "text")
        return block_kind::text;
    if (type == "tool_use")
        return block_kind::tool_use;
    if (type == "thinking" || type == "redacted_thinking")
        return block_kind::thinking;
    return block_kind::other;
}

using changes = std::vector<std::pair<std::string, std::string>>;

// The start block with the changes put in their places; without any, its own bytes.
std::string with_changes(const json::value& start, const changes& changed)
{
    if (changed.empty())
        return std::string{start.raw()};
    std::string out;
    json::object_writer writer{out};
    for (const auto& member : start.members()) {
        const auto found = std::ranges::find(changed, member.name, &changes::value_type::first);
        writer.raw(member.name, found == changed.end() ? member.value.raw() : found->second);
    }
    for (const auto& [name, value] : changed) {
        if (start.find(name) == nullptr)
            writer.raw(name, value);
    }
    writer.close();
    return out;
}

std::string sendable(const json::value& what)
{
    std::string out;
    if (what.is(json::kind::string)) {
        out = what.raw();
        if (!json::parse("[" + out + "]"))
            out = json::quoted(*what.as_string());
    } else if (json::parse(what.raw())) { // also what is run: it stays the same bytes
        out = what.raw();
    } else if (what.is(json::kind::array)) {
        json::array_writer items{out};
        for (const auto& item : what.items())
            items.raw(sendable(item));
        items.close();
    } else if (what.is(json::kind::object)) {
        json::object_writer members{out};
        for (const auto& member : what.members())
            members.raw(member.name, sendable(member.value));
        members.close();
    } else {
        out = what.raw();
    }
    return out;
}

// A block's bytes as they are, unless there is half a surrogate pair in them: that can be
// received, but neither be sent nor read again. Then those strings alone are written anew.
std::string without_halves(std::string raw)
{
    if (raw.find("\\u") == std::string::npos || json::parse(raw))
        return raw;
    const auto read = json::parse(raw, json::lone_surrogates::replace);
    return read ? sendable(read->root()) : raw;
}

std::string decoded(const std::string& quoted)
{
    const auto parsed = json::parse("[" + quoted + "]", json::lone_surrogates::replace);
    if (!parsed || parsed->root().items().size() != 1)
        return {};
    const std::string* text = parsed->root().items()[0].as_string();
    return text == nullptr ? std::string{} : *text;
}

} // namespace

block finish_block(block_parts parts)
{
    const std::string* type = parts.start->find_string("type");
    block made;
    made.kind = kind_of(type == nullptr ? std::string_view{} : std::string_view{*type});
    const bool has_input = made.kind == block_kind::tool_use || parts.input.has_value();
    if (has_input) {
        auto input = read_input(parts.start->find("input"), parts.input);
        const json::value* before = parts.start->find("input");
        if (before == nullptr || before->raw() != input.echoed)
            parts.changed.emplace_back("input", std::move(input.echoed));
        made.input = std::move(input.bytes);
        made.input_is = input.state;
    }
    if (made.kind == block_kind::tool_use) {
        const std::string* id = parts.start->find_string("id");
        const std::string* name = parts.start->find_string("name");
        made.id = id == nullptr ? std::string{} : *id;
        made.name = name == nullptr ? std::string{} : *name;
    }
    if (made.kind == block_kind::text) {
        const auto changed = std::ranges::find(parts.changed, "text", &changes::value_type::first);
        const json::value* before = parts.start->find("text");
        if (changed != parts.changed.end())
            made.text = decoded(changed->second);
        else if (before != nullptr && before->as_string() != nullptr)
            made.text = *before->as_string();
    }
    made.raw = without_halves(with_changes(*parts.start, parts.changed));
    return made;
}

void note_cut_call(reply& whole)
{
    const bool ran_out =
        whole.stop_reason == "max_tokens" || whole.stop_reason == "model_context_window_exceeded";
    if (!ran_out || whole.content.empty())
        return;
    auto& last = whole.content.back();
    if (last.kind == block_kind::tool_use && last.input_is == input_state::complete)
        last.input_is = input_state::cut_off;
}

} // namespace agentd::proto::messages
