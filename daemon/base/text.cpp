#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace agentd::base {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

// Length of the valid UTF-8 sequence at the head of `s` (RFC 3629 table 3-7), 0 if there is none.
std::size_t sequence_length(std::string_view s)
{
    const auto byte = [s](std::size_t i) {
        return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U;
    };
    const auto tail = [&byte](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
    const unsigned lead = byte(0);
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return tail(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        const bool overlong = lead == 0xE0 && byte(1) < 0xA0;
        const bool surrogate = lead == 0xED && byte(1) > 0x9F;
        return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        const bool overlong = lead == 0xF0 && byte(1) < 0x90;
        const bool beyond = lead == 0xF4 && byte(1) > 0x8F;
        return tail(1) && tail(2) && tail(3) && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

// Length of the terminal escape sequence at the head of `s`, which begins with ESC
// (ECMA-48: CSI ends at 0x40-0x7E, OSC and its kin at BEL or ST). An unended one is ESC alone.
std::size_t escape_length(std::string_view s)
{
    constexpr std::size_t longest = 4096; // beyond this it is no sequence but a lone ESC
    if (s.size() < 2)
        return 1;
    const char kind = s[1];
    if (kind == '[') {
        for (std::size_t i = 2; i < s.size() && i < longest; ++i)
            if (s[i] >= 0x40 && s[i] <= 0x7E)
                return i + 1;
        return 1;
    }
    if (kind == ']' || kind == 'P' || kind == 'X' || kind == '^' || kind == '_') {
        for (std::size_t i = 2; i < s.size() && i < longest; ++i) {
            if (s[i] == '\a')
                return i + 1;
            if (s[i] == '\x1b' && i + 1 < s.size() && s[i + 1] == '\\')
                return i + 2;
        }
        return 1;
    }
    std::size_t end = 1;
    while (end < s.size() && s[end] >= 0x20 && s[end] <= 0x2F)
        ++end;
    return end < s.size() && s[end] >= 0x30 && s[end] <= 0x7E ? end + 1 : 1;
}

bool is_c1(std::string_view sequence)
{
    return sequence.size() == 2 && sequence[0] == '\xC2' &&
        static_cast<unsigned char>(sequence[1]) < 0xA0 && sequence[1] != '\x85';
}

// What ends a line without being ASCII: NEL, U+2028, U+2029; else "".
std::string_view escaped_line_end(std::string_view sequence)
{
    if (sequence == "\xC2\x85")
        return "\\u0085";
    if (sequence == "\xE2\x80\xA8")
        return "\\u2028";
    return sequence == "\xE2\x80\xA9" ? "\\u2029" : "";
}

std::string escaped(unsigned char c)
{
    switch (c) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return fmt::format("\\x{:02x}", c);
    }
}

} // namespace

bool is_utf8(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto length = sequence_length(bytes);
        if (length == 0)
            return false;
        bytes.remove_prefix(length);
    }
    return true;
}

std::string printable(std::string_view bytes)
{
    std::string out;
    out.reserve(bytes.size());
    while (!bytes.empty()) {
        const auto c = static_cast<unsigned char>(bytes.front());
        if (c == 0x1b) {
            bytes.remove_prefix(escape_length(bytes));
            continue;
        }
        const auto length = sequence_length(bytes);
        const bool plain = length > 1 || c >= 0x20 || c == '\t' || c == '\n' || c == '\r' ||
            c == '\v' || c == '\f';
        if (length == 0 || !plain || c == 0x7F || is_c1(bytes.substr(0, length)))
            out.append(replacement);
        else
            out.append(bytes.substr(0, length));
        bytes.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

std::size_t count_chars(std::string_view text)
{
    std::size_t n = 0;
    for (const char c : text)
        n += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
    return n;
}

std::string_view first_chars(std::string_view text, std::size_t n)
{
    std::size_t pos = 0;
    while (pos < text.size()) {
        if ((static_cast<unsigned char>(text[pos]) & 0xC0U) != 0x80U && n-- == 0)
            break;
        ++pos;
    }
    return text.substr(0, pos);
}

std::string_view last_chars(std::string_view text, std::size_t n)
{
    std::size_t pos = text.size();
    while (pos > 0 && n > 0) {
        --pos;
        n -= (static_cast<unsigned char>(text[pos]) & 0xC0U) != 0x80U ? 1 : 0;
    }
    return text.substr(pos);
}

std::string one_line(std::string_view bytes, std::size_t n)
{
    std::string out;
    std::size_t used = 0;
    while (!bytes.empty()) {
        if (used == n)
            return out + "...";
        const auto c = static_cast<unsigned char>(bytes.front());
        const auto length = sequence_length(bytes);
        const auto line_end = escaped_line_end(bytes.substr(0, length));
        if (length == 0 || (length == 1 && (c < 0x20 || c == 0x7F)))
            out.append(escaped(c));
        else if (!line_end.empty())
            out.append(line_end);
        else if (is_c1(bytes.substr(0, length)))
            out.append(replacement);
        else
            out.append(bytes.substr(0, length));
        bytes.remove_prefix(length == 0 ? 1 : length);
        ++used;
    }
    return out;
}

std::string_view strip(std::string_view text)
{
    constexpr std::string_view blank = " \t\r\n\v\f";
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::string lower(std::string_view text)
{
    std::string out{text};
    std::ranges::transform(out, out.begin(),
        [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

std::string defuse_markers(std::string_view text)
{
    constexpr std::string_view name = "background-results";
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto rest = text.substr(i + 1);
        const bool marker = text[i] == '<' &&
            (rest.starts_with(name) || (rest.starts_with('/') && rest.substr(1).starts_with(name)));
        if (marker)
            out.append("\xE2\x80\xB9"); // U+2039
        else
            out.push_back(text[i]);
    }
    return out;
}

} // namespace agentd::base
