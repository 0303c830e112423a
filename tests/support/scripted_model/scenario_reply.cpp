// See scenario_reply.hpp.
#include "scenario_reply.hpp"

#include "message_text.hpp"

#include <openssl/evp.h>

namespace agentd::testing {

namespace json = boost::json;

namespace {

std::optional<std::string> base64_decoded(std::string_view text)
{
    std::string out(text.size() / 4 * 3, '\0');
    int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (length < 0)
        return std::nullopt;
    auto padding = text.ends_with("==") ? 2U : text.ends_with('=') ? 1U : 0U;
    out.resize(static_cast<std::size_t>(length) - padding);
    return out;
}

void read_timing(object_reader& from, reply_timing& out)
{
    from.take("delay_ms", out.delay);
    from.take("first_byte_delay_ms", out.first_byte_delay);
    from.take("between_ms", out.between);
    from.take("hold", out.hold);
    from.take("hold_after_events", out.hold_after_events);
    from.take("stall_after_events", out.stall_after_events);
    from.take("cut_after_events", out.cut_after_events);
    from.take("write_bytes", out.write_bytes);
    from.take("reset", out.reset);
    from.take("close_after", out.close_after);
    from.take("early_close", out.early_close);
    if (out.hold_after_events && out.hold.empty())
        from.fault("hold_after_events", "needs \"hold\"");
}

void read_headers(object_reader& from, reply& out)
{
    json::object headers;
    from.take("headers", headers);
    for (const auto& member : headers) {
        const auto* text = member.value().if_string();
        if (text == nullptr)
            from.fault("headers", "must hold strings only");
        else
            out.headers.emplace_back(member.key(), *text);
    }
}

void check_content(const json::array& content, const std::string& path, fault_list& faults)
{
    for (std::size_t i = 0; i < content.size(); ++i) {
        auto at = path + "[" + std::to_string(i) + "]";
        auto type = type_of(content[i]);
        if (type.empty()) {
            faults.push_back(at + ".type: missing");
            continue;
        }
        const auto& block = content[i].get_object();
        if (type == "text" && !block.contains("text"))
            faults.push_back(at + ".text: missing");
        if (type == "tool_use" && text_field(block, "name").empty())
            faults.push_back(at + ".name: missing");
        if (const auto* raw = block.if_contains("input_raw"); raw != nullptr && !raw->is_string())
            faults.push_back(at + ".input_raw: must be a string");
    }
}

void read_content(object_reader& from, const std::string& path, reply& out, fault_list& faults)
{
    from.take("content", out.content);
    check_content(out.content, path + ".content", faults);
    from.take("stop_reason", out.stop_reason);
    from.take("usage", out.usage);
    from.take("deltas", out.deltas);
    from.take("json", out.as_json);
    if (out.deltas == 0)
        from.fault("deltas", "must be at least 1");
}

void read_base64(object_reader& from, std::string_view name, std::string& out)
{
    std::string text;
    from.take(name, text);
    if (auto bytes = base64_decoded(text))
        out = *bytes;
    else
        from.fault(name, "is no base64");
}

void read_raw(object_reader& from, reply& out)
{
    from.take("raw", out.raw);
    if (from.has("raw_base64"))
        read_base64(from, "raw_base64", out.raw.emplace_back());
}

void read_plain(object_reader& from, reply& out)
{
    from.take("error", out.error);
    from.take("body", out.body);
    if (from.has("body_base64"))
        read_base64(from, "body_base64", out.body.emplace());
}

} // namespace

reply read_reply(const json::value& value, const std::string& path, fault_list& faults)
{
    reply out;
    object_reader from{value, path, faults};
    read_timing(from, out.timing);
    read_headers(from, out);
    from.take("status", out.status);
    if (out.status < 200 || out.status > 599)
        from.fault("status", "must be from 200 to 599");
    if (from.has("raw") || from.has("raw_base64")) {
        out.is = reply::form::raw;
        read_raw(from, out);
    } else if (from.has("events")) {
        out.is = reply::form::events;
        from.take("events", out.events);
    } else if (from.has("content")) {
        read_content(from, path, out, faults);
    } else if (from.has("status") || from.has("body") || from.has("body_base64")) {
        out.is = reply::form::plain;
        read_plain(from, out);
    } else if (!out.timing.early_close && value.is_object()) {
        faults.push_back(path + ": needs one of content, events, raw, status");
    }
    from.finish();
    return out;
}

} // namespace agentd::testing
