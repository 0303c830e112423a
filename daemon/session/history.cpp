#include "session/history.hpp"

#include "proto/json/reader.hpp"
#include "proto/messages/encode.hpp"
#include "proto/messages/thinking.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace agentd::session {
namespace {

namespace wire = proto::messages;

// Without the calls of the server's own tools that it ends with: no text may follow them.
// nullopt: there is none, or results for the other calls are due, which may follow.
std::optional<std::string> without_open_server_calls(std::string_view content)
{
    if (content.find("_tool_use\"") == std::string_view::npos)
        return std::nullopt;
    const auto parsed = proto::json::parse(content);
    if (!parsed || !wire::tool_use_ids(content).value_or(std::vector<std::string>{}).empty())
        return std::nullopt;
    auto kept = parsed->root().items();
    while (!kept.empty()) {
        const auto* type = kept.back().find_string("type");
        if (type == nullptr || !type->ends_with("_tool_use"))
            break;
        kept = kept.first(kept.size() - 1);
    }
    if (kept.size() == parsed->root().items().size())
        return std::nullopt;
    std::vector<std::string> blocks;
    for (const auto& block : kept)
        blocks.emplace_back(block.raw());
    return blocks.empty() ? std::string{} : wire::content_of(blocks);
}

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
            drop_open_server_calls();
            pending_ = std::move(row.shown.content);
            pending_seq_ = row.shown.seq;
        } else {
            append(row.shown.role, row.shown.content);
            row.shown.content = {}; // a long history is not held twice, not even while it is read
        }
    }
}

std::string_view history::entry::content() const
{
    // {"role":"user","content":[...]}
    const std::string_view all{*encoded};
    const auto from = all.find('[');
    return all.substr(from, all.size() - from - 1);
}

void history::append(std::string_view role, std::string_view content)
{
    if (content.size() <= 2) // "[]": a reply with nothing to keep
        return;
    const bool by_user = role == "user";
    if (by_user)
        drop_open_server_calls();
    if (messages_.empty() || messages_.back().by_user != by_user)
        messages_.push_back({by_user, shared(wire::message(role, content))});
    else
        messages_.back().encoded =
            shared(wire::message(role, joined(messages_.back().content(), content)));
}

void history::drop_open_server_calls()
{
    if (messages_.empty() || messages_.back().by_user)
        return;
    const auto rest = without_open_server_calls(messages_.back().content());
    if (!rest)
        return;
    messages_.pop_back();
    append("assistant", *rest);
}

model::request history::request(std::int64_t max_tokens) const
{
    return request_ending(pending_, max_tokens);
}

model::request history::request_ending(std::string_view last, std::int64_t max_tokens) const
{
    model::request all;
    all.model = epoch_.model;
    all.max_tokens = max_tokens;
    all.system = system_;
    all.tools = tools_;
    all.messages.reserve(messages_.size() + 1);
    for (const auto& message : messages_)
        all.messages.push_back(message.encoded);
    if (last.empty())
        return all;
    if (!messages_.empty() && messages_.back().by_user)
        all.messages.back() = shared(wire::user_message(joined(messages_.back().content(), last)));
    else
        all.messages.push_back(shared(wire::user_message(last)));
    return all;
}

std::size_t history::size() const
{
    std::size_t bytes = system_->size() + tools_->size() + pending_.size();
    for (const auto& message : messages_)
        bytes += message.encoded->size();
    return bytes;
}

bool history::has_reply() const
{
    return std::ranges::any_of(messages_, [](const entry& one) { return !one.by_user; });
}

std::vector<model::bytes> history::messages() const
{
    std::vector<model::bytes> all;
    for (const auto& message : messages_)
        all.push_back(message.encoded);
    return all;
}

void history::add_results(std::span<const std::string> blocks)
{
    drop_open_server_calls();
    pending_ = pending_.empty() ? wire::content_of(blocks) : wire::append_blocks(pending_, blocks);
}

base::result<> history::add_background(std::string_view element)
{
    const auto before = std::exchange(background_, wire::text_block(element));
    const auto at = before.empty() ? std::string::npos : pending_.rfind(before);
    if (at != std::string::npos) {
        pending_.replace(at, before.size(), background_);
    } else if (!pending_.empty() && wire::has_tool_result(pending_)) {
        auto extended = wire::add_to_last_tool_result(pending_, background_);
        if (!extended)
            return std::unexpected(std::move(extended.error()));
        pending_ = std::move(*extended);
    } else {
        add_text(element);
    }
    return {};
}

// Quotes are escaped inside of strings: the bytes of a whole block are found as one only.
bool history::knows_background(std::string_view element)
{
    auto block = wire::text_block(element);
    if (pending_.rfind(block) == std::string::npos)
        return false;
    background_ = std::move(block);
    return true;
}

std::string history::pending_without_background() const
{
    auto rest = pending_;
    const auto at = background_.empty() ? std::string::npos : rest.rfind(background_);
    if (at == std::string::npos)
        return rest;
    rest.erase(at, background_.size());
    if (rest[at - 1] == ',')
        rest.erase(at - 1, 1);
    else if (rest[at] == ',')
        rest.erase(at, 1);
    return rest == "[]" ? std::string{} : rest;
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
    background_.clear();
    pending_seq_ = 0;
    append("assistant", reply);
}

void history::drop_thinking()
{
    for (auto& old : std::exchange(messages_, {})) {
        const bool joins = !messages_.empty() && messages_.back().by_user == old.by_user;
        if (old.by_user && !joins) {
            messages_.push_back(std::move(old)); // the same bytes, shared
            continue;
        }
        auto rest = old.by_user ? std::string{old.content()}
                                : wire::without_thinking(old.content()).value_or("");
        append(old.by_user ? "user" : "assistant", rest);
    }
}

void history::begin_epoch(store::messages::epoch next, std::string first, std::int64_t seq)
{
    epoch_ = std::move(next);
    messages_.clear();
    pending_ = std::move(first);
    background_.clear();
    pending_seq_ = seq;
}

std::vector<std::string> history::asked_calls() const
{
    if (messages_.empty() || messages_.back().by_user)
        return {};
    return wire::tool_use_ids(messages_.back().content()).value_or(std::vector<std::string>{});
}

bool history::ends_with_assistant() const
{
    return pending_.empty() && !messages_.empty() && !messages_.back().by_user;
}

} // namespace agentd::session
