// A request's body out of pieces that are already encoded. Cache marks are the only bytes
// that ever change in them, and they are put between slices instead of into them.
#include "proto/json/writer.hpp"
#include "proto/messages/encode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

namespace agentd::proto::messages {
namespace {

constexpr std::string_view cache_mark = R"(,"cache_control":{"type":"ephemeral"})";

// The last message with the user's role: a continued pause_turn ends with the assistant's.
std::size_t last_user_message(const std::vector<std::string_view>& all)
{
    const auto found = std::ranges::find_if(all.rbegin(), all.rend(),
        [](std::string_view message) { return message.starts_with(R"({"role":"user")"); });
    return found == all.rend() ? all.size() : static_cast<std::size_t>(all.rend() - found) - 1;
}

// True if a mark can go in before `closing` and all after it: an object ends there, with
// something in it, that is no empty text (the API refuses a mark on one).
bool can_be_marked(std::string_view json, std::string_view closing)
{
    return json.ends_with(closing) &&
        !json.substr(0, json.size() - closing.size()).ends_with(R"("text":"")") &&
        !json.substr(0, json.size() - closing.size()).ends_with('{');
}

} // namespace

request_body::request_body(const body_parts& parts)
{
    // 1. A block's end inside `system`, 2. the same inside a message's `content`.
    constexpr std::string_view end_of_array = "}]";
    constexpr std::string_view end_of_message = "}]}";

    auto& head = glue_.emplace_back(R"({"model":)");
    json::append_string(head, parts.model);
    head += fmt::format(R"(,"max_tokens":{},"stream":true)", parts.max_tokens);
    if (!parts.system.empty())
        head += R"(,"system":)";
    add(head);
    if (can_be_marked(parts.system, end_of_array))
        add_marked(parts.system, end_of_array.size());
    else
        add(parts.system);
    if (!parts.tools.empty()) {
        add(R"(,"tools":)");
        add(parts.tools);
    }
    add(R"(,"messages":[)");
    const std::size_t marked = last_user_message(parts.messages);
    for (std::size_t i = 0; i < parts.messages.size(); ++i) {
        if (i != 0)
            add(",");
        if (i == marked && can_be_marked(parts.messages[i], end_of_message))
            add_marked(parts.messages[i], end_of_message.size());
        else
            add(parts.messages[i]);
    }
    add("]}");
}

void request_body::add(std::string_view slice)
{
    if (slice.empty())
        return;
    slices_.push_back(slice);
    size_ += slice.size();
}

void request_body::add_marked(std::string_view json, std::size_t closing)
{
    add(json.substr(0, json.size() - closing));
    add(cache_mark);
    add(json.substr(json.size() - closing));
}

std::string request_body::joined() const
{
    std::string out;
    out.reserve(size_);
    for (const auto slice : slices_)
        out += slice;
    return out;
}

} // namespace agentd::proto::messages
