#include "model/anthropic/thinking.hpp"

#include "base/text.hpp"
#include "proto/json/reader.hpp"
#include "proto/messages/encode.hpp"
#include "proto/messages/thinking.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace agentd::model::anthropic {
namespace {

namespace wire = proto::messages;
namespace json = proto::json;

// The encoded content of a message as an array; "" where it cannot be read.
std::string content_of(const json::object& message)
{
    const auto* content = message.find("content");
    if (content == nullptr)
        return {};
    if (const auto* text = content->as_string()) {
        const std::string block[] = {wire::text_block(*text)};
        return wire::content_of(block);
    }
    return content->is(json::kind::array) ? std::string{content->raw()} : std::string{};
}

bool is_role(const bytes& message, std::string_view role)
{
    const auto parsed = json::parse_object(*message);
    const auto* found = parsed ? parsed->self().find_string("role") : nullptr;
    return found != nullptr && *found == role;
}

// `next` behind `last`, which has the same role: the wire wants one message (§1.5).
bool merge(bytes& last, const bytes& next)
{
    const auto a = json::parse_object(*last), b = json::parse_object(*next);
    if (!a || !b)
        return false;
    const auto first = content_of(*a), second = content_of(*b);
    if (first.size() <= 2 || second.size() <= 2)
        return false;
    const std::string all = first.substr(0, first.size() - 1) + "," + second.substr(1);
    last = std::make_shared<const std::string>(wire::user_message(all));
    return true;
}

// The message without its thinking; null: nothing is left; `message` itself: it had none.
bytes stripped(const bytes& message)
{
    if (!message->contains("thinking\"") || !is_role(message, "assistant"))
        return message;
    const auto parsed = json::parse_object(*message);
    auto rest = wire::without_thinking(content_of(*parsed));
    if (!rest)
        return message;
    if (rest->empty())
        return nullptr;
    auto whole = wire::assistant_message(*rest);
    return whole == *message ? message : std::make_shared<const std::string>(std::move(whole));
}

} // namespace

bool is_bad_thinking(int status, std::string_view message)
{
    if (status != 400)
        return false;
    // There is no code for it, only words (§1.7).
    const std::string text = base::lower(message);
    const bool of_thinking = text.contains("thinking");
    return text.contains("bound to a different conversation") ||
        (of_thinking && text.contains("signature")) ||
        (of_thinking && text.contains("cannot be modified"));
}

std::optional<std::vector<bytes>> without_thinking(const std::vector<bytes>& messages)
{
    std::vector<bytes> out;
    out.reserve(messages.size());
    bool changed = false, gap = false;
    for (const auto& message : messages) {
        auto kept = stripped(message);
        changed = changed || kept != message;
        if (kept == nullptr) {
            gap = true;
            continue;
        }
        const bool joins = std::exchange(gap, false) && !out.empty() && is_role(kept, "user") &&
            is_role(out.back(), "user");
        if (!joins || !merge(out.back(), kept))
            out.push_back(std::move(kept));
    }
    return changed ? std::optional{std::move(out)} : std::nullopt;
}

} // namespace agentd::model::anthropic
