#include "proto/json/unescape.hpp"

#include <charconv>
#include <cstdint>
#include <optional>

namespace agentd::proto::json {
namespace {

// Appends `code` (no surrogate) as UTF-8.
void append_code_point(std::string& out, std::uint32_t code)
{
    const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | (code >> 6));
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | (code >> 12));
        put(0x80 | ((code >> 6) & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | (code >> 18));
        put(0x80 | ((code >> 12) & 0x3F));
        put(0x80 | ((code >> 6) & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

// The unit of a `\uXXXX` that begins `text`.
std::optional<std::uint32_t> unit(std::string_view text)
{
    std::uint32_t number = 0;
    if (text.size() < 6 || !text.starts_with("\\u"))
        return std::nullopt;
    const auto [stopped, failed] = std::from_chars(text.data() + 2, text.data() + 6, number, 16);
    if (failed != std::errc{} || stopped != text.data() + 6)
        return std::nullopt;
    return number;
}

constexpr bool is_high(std::uint32_t unit)
{
    return unit >= 0xD800 && unit < 0xDC00;
}

constexpr bool is_low(std::uint32_t unit)
{
    return unit >= 0xDC00 && unit < 0xE000;
}

// Reads the \u escape, or pair of them, that begins `text`; how many bytes it took, 0: none.
std::size_t append_unicode(std::string& out, std::string_view text)
{
    const auto first = unit(text);
    if (!first)
        return 0;
    const auto second = unit(text.substr(6));
    if (is_high(*first) && second && is_low(*second)) {
        append_code_point(out, 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00));
        return 12;
    }
    append_code_point(out, is_high(*first) || is_low(*first) ? 0xFFFD : *first);
    return 6;
}

std::size_t append_short_escape(std::string& out, char letter)
{
    switch (letter) {
    case '"':
    case '\\':
    case '/': out += letter; return 2;
    case 'b': out += '\b'; return 2;
    case 'f': out += '\f'; return 2;
    case 'n': out += '\n'; return 2;
    case 'r': out += '\r'; return 2;
    case 't': out += '\t'; return 2;
    default: return 0;
    }
}

} // namespace

bool unescape_replacing(std::string_view quoted, std::string& out)
{
    if (quoted.size() < 2 || !quoted.starts_with('"') || !quoted.ends_with('"'))
        return false;
    std::string_view rest = quoted.substr(1, quoted.size() - 2);
    while (!rest.empty()) {
        const auto plain = rest.substr(0, rest.find('\\'));
        out += plain;
        rest.remove_prefix(plain.size());
        if (rest.empty())
            break;
        if (rest.size() < 2)
            return false;
        const std::size_t taken =
            rest[1] == 'u' ? append_unicode(out, rest) : append_short_escape(out, rest[1]);
        if (taken == 0)
            return false;
        rest.remove_prefix(taken);
    }
    return true;
}

} // namespace agentd::proto::json
