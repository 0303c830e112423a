#include "proto/messages/decode.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "proto/messages/encode.hpp"

#include <algorithm>

namespace agentd::proto::messages {
namespace {

constexpr std::size_t shown_chars = 200; // of a body that is not the API's

std::string string_or_empty(const json::value& from, std::string_view name)
{
    const std::string* found = from.find_string(name);
    return found == nullptr ? std::string{} : *found;
}

std::optional<std::int64_t> count(const json::value& usage, std::string_view name)
{
    const json::value* found = usage.find(name);
    const auto number = found == nullptr ? std::nullopt : found->as_integer();
    return number && *number >= 0 ? number : std::nullopt;
}

usage read_usage(const json::value& message)
{
    const json::value* found = message.find("usage");
    if (found == nullptr)
        return {};
    return {.input = count(*found, "input_tokens"),
        .output = count(*found, "output_tokens"),
        .cache_read = count(*found, "cache_read_input_tokens"),
        .cache_write = count(*found, "cache_creation_input_tokens")};
}

std::string read_explanation(const json::value& from)
{
    const json::value* details = from.find("stop_details");
    return details == nullptr ? std::string{} : string_or_empty(*details, "explanation");
}

std::string shown(std::string_view bytes)
{
    return std::string{base::strip(
        base::first_chars(base::printable(bytes.substr(0, 4 * shown_chars)), shown_chars))};
}

// {"error":{...}}, the same flat (llama.cpp), or with a plain string (some proxies).
server_error read_error(const json::value& root)
{
    const json::value* inner = root.find("error");
    server_error found;
    found.request_id = string_or_empty(root, "request_id");
    if (inner != nullptr && inner->is(json::kind::string)) {
        found.message = *inner->as_string();
        return found;
    }
    const json::value& from = inner != nullptr && inner->is(json::kind::object) ? *inner : root;
    found.type = string_or_empty(from, "type");
    found.message = string_or_empty(from, "message");
    if (const json::value* details = from.find("details"))
        found.code = string_or_empty(*details, "error_code");
    if (found.message.empty())
        found.message = shown(root.raw());
    return found;
}

base::result<std::int64_t> read_index(const json::object& event)
{
    auto index = event.integer("index", 0, static_cast<std::int64_t>(limits::reply_blocks) - 1);
    if (!index)
        return std::unexpected(bad_reply("event of the stream: " + index.error().text));
    return *index;
}

template <class Event>
base::result<stream_event> read_indexed(const json::object& event, std::string_view member)
{
    const auto index = read_index(event);
    if (!index)
        return std::unexpected(index.error());
    auto inner = event.child(member);
    if (!inner)
        return std::unexpected(bad_reply("event of the stream: " + inner.error().text));
    return Event{*index, std::move(*inner)};
}

stream_event read_message_start(const json::value& event)
{
    const json::value* message = event.find("message");
    if (message == nullptr)
        return message_start{};
    return message_start{.id = string_or_empty(*message, "id"),
        .model = string_or_empty(*message, "model"),
        .usage = read_usage(*message)};
}

stream_event read_message_delta(const json::value& event)
{
    message_delta found{.stop_reason = {},
        .stop_sequence = {},
        .refusal_explanation = {},
        .usage = read_usage(event)};
    if (const json::value* delta = event.find("delta")) {
        if (delta->find("stop_reason") != nullptr)
            found.stop_reason = string_or_empty(*delta, "stop_reason");
        found.stop_sequence = string_or_empty(*delta, "stop_sequence");
        found.refusal_explanation = read_explanation(*delta);
    }
    return found;
}

// Names whose data has to be what they say; others may be anything.
bool is_known(std::string_view name)
{
    static constexpr std::string_view names[] = {"", "message_start", "content_block_start",
        "content_block_delta", "content_block_stop", "message_delta", "message_stop"};
    return std::ranges::find(names, name) != std::end(names);
}

base::result<stream_event> decode_object(std::string_view type, const json::object& event)
{
    // The object's own look at itself: all look-ups below are tolerant ones.
    if (type == "message_start")
        return read_message_start(event.self());
    if (type == "content_block_start")
        return read_indexed<block_start>(event, "content_block");
    if (type == "content_block_delta")
        return read_indexed<block_delta>(event, "delta");
    if (type == "content_block_stop") {
        const auto index = read_index(event);
        if (!index)
            return std::unexpected(index.error());
        return block_stop{*index};
    }
    if (type == "message_delta")
        return read_message_delta(event.self());
    if (type == "message_stop")
        return message_stop{};
    if (type == "error")
        return read_error(event.self());
    return skipped{};
}

} // namespace

base::result<stream_event> decode(std::string_view name, std::string_view data)
{
    if (name == "ping" || data == "[DONE]")
        return skipped{};
    const auto event = json::parse_object(data, json::lone_surrogates::replace, reply_depth);
    if (!event) {
        if (name == "error")
            return server_error{.type = {}, .message = shown(data), .code = {}, .request_id = {}};
        if (!is_known(name))
            return skipped{};
        return std::unexpected(bad_reply("event of the stream: " + event.error().text));
    }
    if (name == "error") // its `type` may be the error's own
        return read_error(event->self());
    const std::string* type = event->self().find_string("type");
    return decode_object(type == nullptr ? name : std::string_view{*type}, *event);
}

base::result<reply> decode_message(std::string_view bytes)
{
    const auto parsed = json::parse_object(bytes, json::lone_surrogates::replace, reply_depth);
    if (!parsed)
        return std::unexpected(bad_reply("reply: " + parsed.error().text));
    const json::value& message = parsed->self();
    const json::value* content = message.find("content");
    if (string_or_empty(message, "type") == "error" || content == nullptr)
        return std::unexpected(bad_reply("reply is no message: " + read_error(message).message));
    reply made;
    made.id = string_or_empty(message, "id");
    made.model = string_or_empty(message, "model");
    made.stop_reason = string_or_empty(message, "stop_reason");
    made.stop_sequence = string_or_empty(message, "stop_sequence");
    made.refusal_explanation = read_explanation(message);
    made.usage = read_usage(message);
    if (content->items().size() > limits::reply_blocks)
        return std::unexpected(bad_reply("reply has too many blocks"));
    for (const auto& item : content->items()) {
        if (!item.is(json::kind::object))
            return std::unexpected(bad_reply("reply: a block is no object"));
        made.content.push_back(finish_block({.start = &item, .changed = {}, .input = {}}));
    }
    note_cut_call(made);
    return made;
}

server_error decode_error(std::string_view bytes)
{
    const auto parsed = json::parse_object(bytes, json::lone_surrogates::replace, reply_depth);
    if (parsed)
        return read_error(parsed->self());
    return {.type = {}, .message = shown(bytes), .code = {}, .request_id = {}};
}

} // namespace agentd::proto::messages
