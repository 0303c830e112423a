#include "proto/messages/accumulator.hpp"

#include "base/limits.hpp"
#include "proto/json/reader.hpp"
#include "proto/json/writer.hpp"
#include "proto/messages/encode.hpp"

#include <fmt/format.h>

#include <utility>

namespace agentd::proto::messages {
namespace {

constexpr std::size_t most_remarks = 8; // enough to recognise a server by

std::string_view type_of(const json::object& from)
{
    const std::string* type = from.self().find_string("type");
    return type == nullptr ? std::string_view{} : std::string_view{*type};
}

// The bytes between the quotes.
std::string_view inner(const json::value& text)
{
    return text.raw().substr(1, text.raw().size() - 2);
}

bool takes_input(std::string_view block_type)
{
    return block_type == "tool_use" || block_type == "server_tool_use" ||
        block_type == "mcp_tool_use";
}

// The delta's field and the type of block that it belongs to, of those that append text.
struct appending {
    std::string_view delta, field, block;
};
constexpr appending appending_deltas[] = {
    {"text_delta", "text", "text"},
    {"thinking_delta", "thinking", "thinking"},
};

void replace(std::optional<std::int64_t>& old, std::optional<std::int64_t> fresh)
{
    if (fresh)
        old = fresh;
}

// Counters are cumulative: each replaces the one before it, none is added (§3.3).
void replace(usage& old, const usage& fresh)
{
    replace(old.input, fresh.input);
    replace(old.output, fresh.output);
    replace(old.cache_read, fresh.cache_read);
    replace(old.cache_write, fresh.cache_write);
}

std::string joined_citations(const json::value& start, const std::vector<std::string>& more)
{
    const json::value* before = start.find("citations");
    const std::string_view list =
        before != nullptr && before->is(json::kind::array) ? before->raw() : std::string_view{"[]"};
    return append_blocks(list, more);
}

// Decodes the joined bytes of a JSON string.
std::string unquoted(const std::string& joined)
{
    const auto parsed = json::parse("[\"" + joined + "\"]", json::lone_surrogates::replace);
    return parsed ? *parsed->root().items()[0].as_string() : std::string{};
}

// Joined bytes as a JSON string: as they were spelt, unless halves of surrogate pairs are left,
// which nobody could send back.
std::string quoted_again(const std::string& joined)
{
    std::string as_spelt = "\"" + joined + "\"";
    if (json::parse("[" + as_spelt + "]"))
        return as_spelt;
    return json::quoted(unquoted(joined));
}

} // namespace

base::result<accumulator::step> accumulator::on(stream_event event)
{
    if (auto* start = std::get_if<message_start>(&event))
        return start_message(std::move(*start));
    if (auto* start = std::get_if<block_start>(&event))
        return start_block(std::move(*start));
    if (auto* delta = std::get_if<block_delta>(&event))
        return apply(std::move(*delta));
    if (const auto* stop = std::get_if<block_stop>(&event))
        stop_block(*stop);
    if (auto* delta = std::get_if<message_delta>(&event))
        apply(std::move(*delta));
    if (std::holds_alternative<message_stop>(event))
        return finish();
    if (auto* failed = std::get_if<server_error>(&event))
        return std::move(*failed);
    return going_on{};
}

base::result<accumulator::step> accumulator::start_message(message_start event)
{
    if (started_ && !blocks_.empty())
        return std::unexpected(bad_reply("stream begins a second message"));
    if (started_)
        remark("message_start came twice");
    started_ = true;
    reply_.id = std::move(event.id);
    reply_.model = std::move(event.model);
    replace(reply_.usage, event.usage);
    return going_on{};
}

base::result<accumulator::step> accumulator::start_block(block_start event)
{
    if (!started_)
        remark("a block came before message_start");
    const auto index = event.index;
    const std::size_t size = event.block.raw().size();
    const std::string* text = event.block.self().find_string("text");
    text_piece first{static_cast<std::size_t>(index), text == nullptr ? std::string{} : *text};
    const bool is_text = type_of(event.block) == "text";
    if (!blocks_.try_emplace(index, std::move(event.block)).second)
        return std::unexpected(bad_reply(fmt::format("stream begins block {} twice", index)));
    auto charged = charge(size);
    if (charged && is_text && !first.text.empty())
        return first;
    return charged;
}

base::result<accumulator::step> accumulator::apply(block_delta event)
{
    const auto found = blocks_.find(event.index);
    if (found == blocks_.end()) {
        remark(fmt::format("a delta came for block {}, which has not begun", event.index));
        return going_on{};
    }
    if (found->second.stopped) {
        remark(fmt::format("a delta came for block {}, which has ended", event.index));
        return going_on{};
    }
    return apply_to(found->second, static_cast<std::size_t>(event.index), event.delta);
}

base::result<accumulator::step> accumulator::apply_to(
    open_block& block, std::size_t index, const json::object& delta)
{
    const std::string_view type = type_of(delta);
    const std::string_view of_block = type_of(block.start);
    const auto mismatch = [&] {
        remark(fmt::format("a {} came for a block of type {}", type, of_block));
        return going_on{};
    };
    for (const auto& known : appending_deltas) {
        if (type != known.delta)
            continue;
        const json::value* piece = delta.find(known.field);
        if (of_block != known.block || piece == nullptr || !piece->is(json::kind::string))
            return mismatch();
        auto done = append(block, known.field, *piece);
        if (done && type == "text_delta" && !piece->as_string()->empty())
            return text_piece{index, *piece->as_string()};
        return done;
    }
    if (type == "input_json_delta")
        return takes_input(of_block) ? append_input(block, delta) : mismatch();
    if (type == "signature_delta") {
        const json::value* signature = delta.find("signature");
        if (of_block != "thinking" || signature == nullptr || !signature->is(json::kind::string))
            return mismatch();
        block.assigned["signature"] = signature->raw();
        return charge(signature->raw().size());
    }
    if (type == "citations_delta") {
        const json::value* citation = delta.find("citation");
        if (of_block != "text" || citation == nullptr)
            return mismatch();
        block.citations.emplace_back(citation->raw());
        return charge(citation->raw().size());
    }
    if (type == "compaction_delta" && of_block == "compaction") {
        for (const std::string_view field : {"content", "encrypted_content"}) {
            if (const json::value* given = delta.find(field))
                block.assigned[std::string{field}] = given->raw();
        }
        return charge(delta.raw().size());
    }
    remark(fmt::format("a delta of unknown type {} was skipped", type));
    reply_.replayable = false;
    return going_on{};
}

base::result<accumulator::step> accumulator::append(
    open_block& block, std::string_view field, const json::value& piece)
{
    auto [place, fresh] = block.appended.try_emplace(std::string{field});
    const json::value* before = block.start.find(field);
    if (fresh && before != nullptr && before->is(json::kind::string))
        place->second = inner(*before);
    place->second += inner(piece);
    return charge(piece.raw().size());
}

base::result<accumulator::step> accumulator::append_input(
    open_block& block, const json::object& delta)
{
    const json::value* piece = delta.find("partial_json");
    if (piece == nullptr || !piece->is(json::kind::string)) {
        remark("an input_json_delta without partial_json was skipped");
        return going_on{};
    }
    if (!block.input)
        block.input.emplace();
    *block.input += inner(*piece);
    return charge(piece->raw().size());
}

void accumulator::stop_block(block_stop event)
{
    const auto found = blocks_.find(event.index);
    if (found == blocks_.end())
        remark(fmt::format("block {} ended without having begun", event.index));
    else
        found->second.stopped = true;
}

void accumulator::apply(message_delta event)
{
    if (event.stop_reason)
        reply_.stop_reason = std::move(*event.stop_reason);
    if (!event.stop_sequence.empty())
        reply_.stop_sequence = std::move(event.stop_sequence);
    if (!event.refusal_explanation.empty())
        reply_.refusal_explanation = std::move(event.refusal_explanation);
    replace(reply_.usage, event.usage);
}

base::result<accumulator::step> accumulator::finish()
{
    if (!started_)
        return std::unexpected(bad_reply("stream ends a message that it never began"));
    for (auto& [index, open] : blocks_) {
        block_parts parts{.start = &open.start.self(), .changed = {}, .input = {}};
        for (auto& [field, joined] : open.appended)
            parts.changed.emplace_back(field, quoted_again(joined));
        for (auto& [field, value] : open.assigned)
            parts.changed.emplace_back(field, std::move(value));
        if (!open.citations.empty())
            parts.changed.emplace_back(
                "citations", joined_citations(open.start.self(), open.citations));
        if (open.input)
            parts.input = unquoted(*open.input);
        reply_.content.push_back(finish_block(std::move(parts)));
    }
    blocks_.clear();
    note_cut_call(reply_);
    return complete{};
}

reply accumulator::take()
{
    return std::move(reply_);
}

void accumulator::remark(std::string text)
{
    if (remarks_.size() < most_remarks)
        remarks_.push_back(std::move(text));
}

base::result<accumulator::step> accumulator::charge(std::size_t bytes)
{
    bytes_ += bytes;
    if (bytes_ > limits::reply_bytes)
        return std::unexpected(base::error{errc::too_large, "reply is too large"});
    return going_on{};
}

} // namespace agentd::proto::messages
