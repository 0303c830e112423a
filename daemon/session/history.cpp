#include "session/history.hpp"

#include "proto/messages/encode.hpp"

#include <memory>
#include <utility>

namespace agentd::session {
namespace {

namespace wire = proto::messages;

// One array of the blocks of both; each is an encoded, non-empty array.
std::string joined(std::string_view a, std::string_view b)
{
    std::string all{a.substr(0, a.size() - 1)};
    all.append(",").append(b.substr(1));
    return all;
}

model::bytes shared(std::string text)
{
    return std::make_shared<const std::string>(std::move(text));
}

} // namespace

history::history(store::messages::epoch epoch, std::vector<store::messages::row> rows)
    : epoch_(std::move(epoch)), system_(shared(epoch_.system)), tools_(shared(epoch_.tools))
{
    for (auto& row : rows) {
        if (&row == &rows.back() && !row.answered && row.shown.role == "user") {
            pending_ = std::move(row.shown.content);
            pending_seq_ = row.shown.seq;
        } else {
            append(row.shown.role, row.shown.content);
        }
    }
}

void history::append(std::string_view role, std::string_view content)
{
    if (content.size() <= 2) // "[]": a reply with nothing to keep
        return;
    if (messages_.empty() || messages_.back().role != role)
        messages_.push_back({std::string{role}, std::string{content}, nullptr});
    else
        messages_.back().content = joined(messages_.back().content, content);
    auto& last = messages_.back();
    last.encoded = shared(wire::message(last.role, last.content));
}

model::request history::request(std::int64_t max_tokens) const
{
    model::request all;
    all.model = epoch_.model;
    all.max_tokens = max_tokens;
    all.system = system_;
    all.tools = tools_;
    all.messages.reserve(messages_.size() + 1);
    for (const auto& message : messages_)
        all.messages.push_back(message.encoded);
    if (pending_.empty())
        return all;
    if (!messages_.empty() && messages_.back().role == "user")
        all.messages.back() =
            shared(wire::user_message(joined(messages_.back().content, pending_)));
    else
        all.messages.push_back(shared(wire::user_message(pending_)));
    return all;
}

void history::add_results(std::span<const std::string> blocks)
{
    pending_ = pending_.empty() ? wire::content_of(blocks) : wire::append_blocks(pending_, blocks);
}

base::result<> history::add_background(std::string_view element)
{
    if (!pending_.empty() && wire::has_tool_result(pending_)) {
        auto extended = wire::add_to_last_tool_result(pending_, wire::text_block(element));
        if (!extended)
            return std::unexpected(std::move(extended.error()));
        pending_ = std::move(*extended);
    } else {
        add_text(element);
    }
    return {};
}

void history::add_text(std::string_view text)
{
    const std::string block[] = {wire::text_block(text)};
    add_results(block);
}

void history::answered(std::string reply)
{
    if (!pending_.empty())
        append("user", std::exchange(pending_, {}));
    pending_seq_ = 0;
    append("assistant", reply);
}

void history::drop_pending()
{
    pending_.clear();
    pending_seq_ = 0;
}

std::vector<std::string> history::asked_calls() const
{
    if (messages_.empty() || messages_.back().role != "assistant")
        return {};
    return wire::tool_use_ids(messages_.back().content).value_or(std::vector<std::string>{});
}

bool history::ends_with_assistant() const
{
    return pending_.empty() && !messages_.empty() && messages_.back().role == "assistant";
}

} // namespace agentd::session
