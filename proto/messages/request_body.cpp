// A request's body out of pieces that are already encoded. Cache marks are the only bytes
// that ever change in them, and they are put between slices instead of into them. Three of the
// four that the API takes (wire reference 1.9):
// 1. behind `system` (and so behind `tools`, which come before it): the same for all tasks;
// 2. at the end of the last user message: all of this request is there for the next one;
// 3. at the end of the user message before it, where the request before had its mark 2. A server
//    looks back at most 20 blocks from a mark for what it has kept, and a reply may have more.
#include "proto/json/writer.hpp"
#include "proto/messages/encode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace agentd::proto::messages {
namespace {

constexpr std::string_view cache_mark = R"(,"cache_control":{"type":"ephemeral"})";

// The last two messages with the user's role, the later one first; the number of messages where
// there is none. A continued pause_turn ends with the assistant's.
std::array<std::size_t, 2> last_user_messages(const std::vector<std::string_view>& all)
{
    std::array<std::size_t, 2> found{all.size(), all.size()};
    auto next = found.begin();
    for (std::size_t i = all.size(); i-- > 0 && next != found.end();) {
        if (all[i].starts_with(R"({"role":"user")"))
            *next++ = i;
    }
    return found;
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
    const auto marked = last_user_messages(parts.messages);
    for (std::size_t i = 0; i < parts.messages.size(); ++i) {
        if (i != 0)
            add(",");
        if (std::ranges::find(marked, i) != marked.end() &&
            can_be_marked(parts.messages[i], end_of_message))
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
