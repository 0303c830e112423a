#include "proto/api/export_check.hpp"

#include "proto/api/parse.hpp"
#include "proto/json/reader.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace agentd::proto::api {
namespace {

using json::value;

std::unexpected<base::error> wrong(std::string_view field, std::string_view reason)
{
    return std::unexpected(invalid(field, reason));
}

// What the server accepts as the id of a call.
bool is_word(std::string_view text)
{
    constexpr std::string_view letters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    return !text.empty() && text.find_first_not_of(letters) == std::string_view::npos;
}

std::string_view text_in(const value& block, std::string_view name)
{
    const auto* text = block.find_string(name);
    return text == nullptr ? std::string_view{} : std::string_view{*text};
}

bool has(const value& block, std::string_view name, json::kind kind)
{
    const auto* found = block.find(name);
    return found != nullptr && found->is(kind);
}

// A block's fields, those that only servers know excepted. What is wrong; "": nothing.
std::string_view fault_of(const value& block, bool by_user)
{
    const auto type = text_in(block, "type");
    if (!block.is(json::kind::object) || type.empty())
        return "must be blocks with a type";
    if (type == "text")
        return text_in(block, "text").empty() ? "a text block must have a text" : "";
    if (by_user && type != "tool_result")
        return "a user's blocks are text and tool_result";
    if (type == "tool_use")
        return !is_word(text_in(block, "id")) || !is_word(text_in(block, "name")) ||
                !has(block, "input", json::kind::object)
            ? "a tool_use block must have id, name and input"
            : "";
    if (type == "thinking")
        return !has(block, "thinking", json::kind::string) ||
                !has(block, "signature", json::kind::string)
            ? "a thinking block must have thinking and signature"
            : "";
    if (type == "redacted_thinking")
        return has(block, "data", json::kind::string) ? "" : "must have data";
    if (type != "tool_result")
        return ""; // a server's own: repeated to it as it came
    if (!by_user)
        return "a tool_result block is the user's";
    const auto* failed = block.find("is_error");
    if (failed != nullptr && !failed->is(json::kind::boolean))
        return "is_error must be true or false";
    return has(block, "content", json::kind::string) || has(block, "content", json::kind::array)
        ? ""
        : "a tool_result block must have content";
}

// The texts inside of a result.
std::string_view fault_in_result(const value& block)
{
    const auto* content = block.find("content");
    if (content == nullptr)
        return "";
    for (const auto& part : content->items())
        if (const auto fault = fault_of(part, false);
            !fault.empty() || text_in(part, "type") == "tool_use")
            return "a tool_result's content must be a text or blocks of text";
    return "";
}

base::result<json::document> content_of(const export_message& what)
{
    const bool by_user = what.message.role == "user";
    auto read = json::parse(what.message.content, json::lone_surrogates::replace);
    if (!read)
        return std::unexpected(invalid("message.content", read.error().text));
    for (const auto& block : read->root().items()) {
        if (const auto fault = fault_of(block, by_user); !fault.empty())
            return std::unexpected(invalid("message.content", fault));
        if (text_in(block, "type") == "tool_result")
            if (const auto fault = fault_in_result(block); !fault.empty())
                return std::unexpected(invalid("message.content", fault));
    }
    return read;
}

} // namespace

base::result<> export_check::add(const export_record& next)
{
    return std::visit([this](const auto& record) { return take(record); }, next);
}

base::result<> export_check::finish() const
{
    if (at_ == at::end)
        return {};
    return wrong("record", "the last line is missing: the export was cut off");
}

base::result<> export_check::take(const export_head& head)
{
    if (at_ != at::begin)
        return wrong("record", "there is a session already");
    head_ = head;
    at_ = at::epochs;
    return {};
}

base::result<> export_check::take(const export_epoch& epoch)
{
    if (at_ != at::epochs)
        return wrong("record", "epochs stand behind the session and before the messages");
    if (epoch.number != epochs_ + 1 || epoch.number > head_.session.epoch)
        return wrong("epoch.number", "must count from 1 up to the session's epoch");
    if (epoch.first_seq < first_seq_)
        return wrong("epoch.first_seq", "must not be less than that of the epoch before");
    if (epoch.number == head_.session.epoch && epoch.model != head_.session.model)
        return wrong("epoch.model", "the last epoch must have the session's model");
    epochs_ = epoch.number;
    first_seq_ = epoch.first_seq;
    return {};
}

base::result<> export_check::take(const export_message& what)
{
    if (at_ == at::begin || at_ == at::end || epochs_ != head_.session.epoch)
        return wrong("record", "messages stand behind the session and all its epochs");
    at_ = at::messages;
    const auto& m = what.message;
    if (m.seq != messages_ + 1 || m.seq > head_.session.messages)
        return wrong("message.seq", "must count from 1 up to the session's messages");
    if (m.epoch < last_epoch_ || m.epoch > epochs_)
        return wrong("message.epoch", "must not be less than the one before, nor beyond the last");
    if (what.end_epoch && (*what.end_epoch <= m.epoch || *what.end_epoch > epochs_))
        return wrong("end_epoch", "must be a later epoch of the session");
    if (!what.answered && m.role != "user")
        return wrong("answered", "only a user's message waits for an answer");
    messages_ = m.seq;
    last_epoch_ = m.epoch;
    last_task_ = m.task_id;
    return follow(what);
}

// The message as a part of what is sent with the next request, if it is one.
base::result<> export_check::follow(const export_message& what)
{
    const auto read = content_of(what);
    if (!read)
        return std::unexpected(read.error());
    if (what.end_epoch || what.message.seq < first_seq_)
        return {};
    const auto blocks = read->root().items();
    const bool by_user = what.message.role == "user";
    if (blocks.empty())
        return wrong("message.content", "must not be empty");
    if (!any_ && !by_user)
        return wrong("message.role", "the first message must be the user's");
    if (!by_user && !open_.empty())
        return wrong("message.role", "the calls before must have their results first");
    any_ = true;
    bool results_end = false;
    for (const auto& block : blocks) {
        const auto type = text_in(block, "type");
        if (type == "tool_use") {
            if (std::ranges::find(open_, text_in(block, "id")) != open_.end())
                return wrong("message.content", "two calls have the same id");
            open_.emplace_back(text_in(block, "id"));
        } else if (type == "tool_result") {
            const auto call = std::ranges::find(open_, text_in(block, "tool_use_id"));
            if (call == open_.end() || results_end)
                return wrong("message.content",
                    "a result must stand first, and for a call of the message before");
            open_.erase(call);
        } else {
            results_end = by_user;
        }
    }
    if (by_user && !open_.empty())
        return wrong("message.content", "a call of the message before has no result");
    return {};
}

base::result<> export_check::take(const export_end& end)
{
    if (at_ == at::begin || at_ == at::end || epochs_ != head_.session.epoch)
        return wrong("record", "the end stands behind the session and all its epochs");
    if (messages_ != head_.session.messages || end.messages != messages_)
        return wrong("messages", "is not the number of the messages there are");
    if (end.epochs != epochs_)
        return wrong("epochs", "is not the number of the epochs there are");
    at_ = at::end;
    return {};
}

} // namespace agentd::proto::api
