#include "tools/output_text.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace agentd::tools {
namespace {

bool continues(char c)
{
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// What the lead byte promises; 1 for what is no lead byte.
std::size_t promised(char lead)
{
    const auto c = static_cast<unsigned char>(lead);
    if (c >= 0xF0 && c <= 0xF4)
        return 4;
    if (c >= 0xE0 && c <= 0xEF)
        return 3;
    return c >= 0xC2 && c <= 0xDF ? 2 : 1;
}

// Bytes of the first character; an invalid byte stands for itself.
std::size_t first_length(std::string_view bytes)
{
    const auto length = promised(bytes.front());
    const bool whole =
        length > 1 && length <= bytes.size() && base::is_utf8(bytes.substr(0, length));
    return whole ? length : 1;
}

std::size_t last_length(std::string_view bytes)
{
    for (std::size_t length = 1; length <= std::min<std::size_t>(4, bytes.size()); ++length) {
        const auto piece = bytes.substr(bytes.size() - length);
        if (!continues(piece.front()))
            return length > 1 && promised(piece.front()) == length && base::is_utf8(piece) ? length
                                                                                           : 1;
    }
    return 1;
}

} // namespace

std::size_t prefix_bytes(std::string_view bytes, std::size_t chars)
{
    std::size_t taken = 0;
    for (; chars > 0 && taken < bytes.size(); --chars)
        taken += first_length(bytes.substr(taken));
    return taken;
}

std::size_t suffix_bytes(std::string_view bytes, std::size_t chars)
{
    std::size_t taken = 0;
    for (; chars > 0 && taken < bytes.size(); --chars)
        taken += last_length(bytes.substr(0, bytes.size() - taken));
    return taken;
}

std::size_t unfinished_bytes(std::string_view bytes)
{
    for (std::size_t length = 1; length <= std::min<std::size_t>(3, bytes.size()); ++length) {
        const char c = bytes[bytes.size() - length];
        if (!continues(c))
            return promised(c) > length ? length : 0;
    }
    return 0;
}

std::size_t stray_bytes(std::string_view bytes)
{
    std::size_t stray = 0;
    while (stray < std::min<std::size_t>(3, bytes.size()) && continues(bytes[stray]))
        ++stray;
    return stray;
}

std::string valid_text(std::string_view bytes)
{
    constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD
    std::string out;
    out.reserve(bytes.size());
    while (!bytes.empty()) {
        const auto length = first_length(bytes);
        const auto c = static_cast<unsigned char>(bytes.front());
        if (c == 0 || (length == 1 && c >= 0x80))
            out.append(replacement);
        else
            out.append(bytes.substr(0, length));
        bytes.remove_prefix(length);
    }
    return out;
}

std::string shortened(
    std::string_view head, std::uint64_t missing, std::string_view tail, std::size_t chars)
{
    std::string joined;
    if (missing == 0) {
        joined = std::string{head} + std::string{tail};
        if (prefix_bytes(joined, chars) == joined.size()) {
            const auto text = base::printable(joined);
            return std::string{base::strip(text)};
        }
        head = joined;
        tail = {};
    }
    constexpr std::size_t note = 64; // the line in the middle
    const std::size_t room = chars > note ? chars - note : 0;
    const auto first = head.substr(0, prefix_bytes(head, room / 4));
    if (missing == 0)
        tail = head.substr(first.size());
    const auto last = tail.substr(tail.size() - suffix_bytes(tail, room - room / 4));
    const std::uint64_t left_out = missing == 0
        ? tail.size() - last.size()
        : missing + (head.size() - first.size()) + (tail.size() - last.size());
    const auto begin = base::printable(first);
    const auto end = base::printable(last);
    const auto all = fmt::format("{}\n[{} bytes left out]\n{}", begin, left_out, end);
    return std::string{base::strip(all)};
}

} // namespace agentd::tools
