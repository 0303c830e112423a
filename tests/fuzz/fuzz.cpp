#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace agentd::fuzz {

void must(bool holds, std::string_view sentence)
{
    if (holds)
        return;
    std::fprintf(
        stderr, "does not hold: %.*s\n", static_cast<int>(sentence.size()), sentence.data());
    std::abort();
}

std::string_view as_text(const std::uint8_t* data, std::size_t size)
{
    return {reinterpret_cast<const char*>(data), size};
}

std::vector<std::string_view> in_pieces(std::string_view bytes, std::size_t longest)
{
    std::uint32_t state = 2166136261U; // FNV-1a over all bytes, then a step of it for each piece
    const auto step = [&state](unsigned char byte) { state = (state ^ byte) * 16777619U; };
    for (const char c : bytes)
        step(static_cast<unsigned char>(c));
    std::vector<std::string_view> pieces;
    while (!bytes.empty()) {
        step(0xA5);
        const auto length = std::min<std::size_t>(1 + (state >> 16U) % longest, bytes.size());
        pieces.push_back(bytes.substr(0, length));
        bytes.remove_prefix(length);
    }
    return pieces;
}

std::vector<std::string_view> in_parts(std::string_view bytes, std::size_t count)
{
    std::vector<std::string_view> parts(count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto end = i + 1 == count ? bytes.size() : std::min(bytes.find('\n'), bytes.size());
        parts[i] = bytes.substr(0, end);
        bytes.remove_prefix(std::min(end + 1, bytes.size()));
    }
    return parts;
}

} // namespace agentd::fuzz
