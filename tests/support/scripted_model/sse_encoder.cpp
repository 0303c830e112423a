// See sse_encoder.hpp.
#include "sse_encoder.hpp"

#include "message_text.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>

namespace agentd::testing {

namespace json = boost::json;

namespace {

// splitmix64: spreads a counter over 64 bits, one to one, so that ids never repeat.
std::uint64_t spread(std::uint64_t x)
{
    x += 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31U);
}

constexpr std::size_t bytes_per_token = 4; // a rough estimate is all that tests need

std::int64_t tokens_of(std::size_t bytes)
{
    return static_cast<std::int64_t>(bytes / bytes_per_token + 1);
}

bool has_streamed_input(std::string_view type)
{
    return type == "tool_use" || type == "server_tool_use" || type == "mcp_tool_use";
}

made_block make_block(const json::value& from, const variables& known, id_source& ids)
{
    made_block made;
    made.block = substituted(from, known).get_object();
    auto& block = made.block;
    std::string type{text_field(block, "type")};
    if (type == "thinking" && !block.contains("signature"))
        block.emplace("signature", ids.next("EqQB"));
    if (!has_streamed_input(type))
        return made;
    if (!block.contains("id"))
        block.emplace("id", ids.next(type == "tool_use" ? "toolu_" : "srvtoolu_"));
    if (const auto* raw = block.if_contains("input_raw")) {
        made.input = raw->get_string();
        block.erase("input_raw");
        boost::system::error_code error;
        auto parsed = json::parse(made.input, error);
        block.insert_or_assign("input", error ? json::value(json::object()) : parsed);
    } else {
        block.emplace("input", json::object());
        made.input = json::serialize(block.at("input"));
    }
    return made;
}

std::string dump(json::object object)
{
    return json::serialize(object);
}

json::object message_head(const made_message& message)
{
    json::object head;
    head.emplace("id", message.id);
    head.emplace("type", "message");
    head.emplace("role", "assistant");
    head.emplace("model", message.model);
    return head;
}

// Cuts a text into at most `count` pieces on character boundaries; one empty piece for "".
std::vector<std::string_view> pieces_of(std::string_view text, std::size_t count)
{
    std::vector<std::string_view> pieces;
    auto size = std::max<std::size_t>(1, (text.size() + count - 1) / count);
    while (!text.empty()) {
        auto end = std::min(size, text.size());
        while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
            ++end;
        pieces.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    if (pieces.empty())
        pieces.emplace_back();
    return pieces;
}

class stream_writer {
public:
    explicit stream_writer(const made_message& message) : message_{message} {}

    std::vector<std::string> write()
    {
        start();
        for (std::size_t i = 0; i < message_.blocks.size(); ++i)
            block(i);
        if (message_.blocks.empty())
            ping();
        end();
        return std::move(events_);
    }

private:
    void event(std::string_view name, json::object data)
    {
        events_.push_back(sse_event(name, json::serialize(data)));
    }

    void ping() { events_.push_back(sse_event("ping", R"({"type":"ping"})")); }

    void start()
    {
        auto head = message_head(message_);
        head.emplace("content", json::array());
        head.emplace("stop_reason", nullptr);
        head.emplace("stop_sequence", nullptr);
        auto usage = message_.usage;
        usage.insert_or_assign("output_tokens", 1);
        head.emplace("usage", std::move(usage));
        json::object data;
        data.emplace("type", "message_start");
        data.emplace("message", std::move(head));
        event("message_start", std::move(data));
    }

    void block(std::size_t index)
    {
        const auto& made = message_.blocks[index];
        auto type = text_field(made.block, "type");
        auto opening = made.block;
        if (type == "text")
            opening.insert_or_assign("text", "");
        if (type == "thinking") {
            opening.insert_or_assign("thinking", "");
            opening.insert_or_assign("signature", "");
        }
        if (has_streamed_input(type))
            opening.insert_or_assign("input", json::object());
        json::object data;
        data.emplace("type", "content_block_start");
        data.emplace("index", index);
        data.emplace("content_block", std::move(opening));
        event("content_block_start", std::move(data));
        if (index == 0)
            ping();
        deltas(index, type, made);
        json::object stop;
        stop.emplace("type", "content_block_stop");
        stop.emplace("index", index);
        event("content_block_stop", std::move(stop));
    }

    void deltas(std::size_t index, std::string_view type, const made_block& made)
    {
        if (type == "text")
            each(index, "text_delta", "text", text_field(made.block, "text"));
        if (has_streamed_input(type))
            each(index, "input_json_delta", "partial_json", made.input);
        if (type != "thinking")
            return;
        each(index, "thinking_delta", "thinking", text_field(made.block, "thinking"));
        delta(index, "signature_delta", "signature", text_field(made.block, "signature"));
    }

    void each(
        std::size_t index, std::string_view type, std::string_view field, std::string_view text)
    {
        for (auto piece : pieces_of(text, message_.deltas))
            delta(index, type, field, piece);
    }

    void delta(
        std::size_t index, std::string_view type, std::string_view field, std::string_view text)
    {
        json::object inner;
        inner.emplace("type", type);
        inner.emplace(field, text);
        json::object data;
        data.emplace("type", "content_block_delta");
        data.emplace("index", index);
        data.emplace("delta", std::move(inner));
        event("content_block_delta", std::move(data));
    }

    void end()
    {
        json::object inner;
        inner.emplace("stop_reason", message_.stop_reason);
        inner.emplace("stop_sequence", nullptr);
        json::object usage;
        usage.emplace("output_tokens", message_.usage.at("output_tokens"));
        json::object data;
        data.emplace("type", "message_delta");
        data.emplace("delta", std::move(inner));
        data.emplace("usage", std::move(usage));
        event("message_delta", std::move(data));
        events_.push_back(sse_event("message_stop", R"({"type":"message_stop"})"));
    }

    const made_message& message_;
    std::vector<std::string> events_;
};

json::object usage_of(const reply& from, const made_message& message, std::size_t input_bytes)
{
    std::size_t written = 0;
    for (const auto& made : message.blocks)
        written += text_field(made.block, "text").size() + made.input.size() +
            text_field(made.block, "thinking").size();
    json::object usage;
    usage.emplace("input_tokens", tokens_of(input_bytes));
    usage.emplace("cache_creation_input_tokens", 0);
    usage.emplace("cache_read_input_tokens", 0);
    usage.emplace("output_tokens", tokens_of(written));
    for (const auto& member : from.usage)
        usage.insert_or_assign(member.key(), member.value());
    return usage;
}

} // namespace

std::string id_source::next(std::string_view prefix)
{
    constexpr std::string_view digits = "0123456789abcdefghijkmnpqrstuvwxyz"; // no l, no o
    auto value = spread(seed_ + count_.fetch_add(1, std::memory_order_relaxed));
    std::string id{prefix};
    id.append("01");
    for (int i = 0; i < 13; ++i) {
        id.push_back(digits[value & 31U]);
        value >>= 5U;
    }
    return id;
}

made_message make_message(const reply& from, const variables& known, std::string_view model,
    std::size_t input_bytes, id_source& ids)
{
    made_message made;
    made.id = ids.next("msg_");
    made.model = model;
    made.deltas = from.deltas;
    made.stop_reason = from.stop_reason;
    bool calls = false;
    for (const auto& block : from.content) {
        made.blocks.push_back(make_block(block, known, ids));
        calls = calls || text_field(made.blocks.back().block, "type") == "tool_use";
    }
    if (made.stop_reason.empty())
        made.stop_reason = calls ? "tool_use" : "end_turn";
    made.usage = usage_of(from, made, input_bytes);
    return made;
}

std::vector<std::string> stream_events(const made_message& message)
{
    return stream_writer{message}.write();
}

std::string whole_message(const made_message& message)
{
    auto body = message_head(message);
    json::array content;
    for (const auto& made : message.blocks)
        content.push_back(made.block);
    body.emplace("content", std::move(content));
    body.emplace("stop_reason", message.stop_reason);
    body.emplace("stop_sequence", nullptr);
    body.emplace("usage", message.usage);
    return dump(std::move(body));
}

std::string sse_event(std::string_view name, std::string_view data)
{
    std::string out;
    if (!name.empty())
        out.append("event: ").append(name).append("\n");
    for (;;) {
        auto end = data.find('\n');
        out.append("data: ").append(data.substr(0, end)).append("\n");
        if (end == std::string_view::npos)
            break;
        data.remove_prefix(end + 1);
    }
    return out.append("\n");
}

} // namespace agentd::testing
