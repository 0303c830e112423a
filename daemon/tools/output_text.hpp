// Bytes that a command wrote or a file holds, made text for the model: valid, bounded, and
// honest about what is missing. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace agentd::tools {

// How many bytes at the head / tail of `bytes` make `chars` characters; an invalid byte is one.
[[nodiscard]] std::size_t prefix_bytes(std::string_view bytes, std::size_t chars);
[[nodiscard]] std::size_t suffix_bytes(std::string_view bytes, std::size_t chars);

// How many bytes at the end are the beginning of a character whose rest may still come.
[[nodiscard]] std::size_t unfinished_bytes(std::string_view bytes);
// How many bytes at the head are the rest of a character that began before.
[[nodiscard]] std::size_t stray_bytes(std::string_view bytes);

// Everything kept but invalid UTF-8 and NULs, which become U+FFFD.
[[nodiscard]] std::string valid_text(std::string_view bytes);

// Output for the model: printable, stripped, at most `chars` characters. What is beyond them is
// left out between a quarter of head and three of tail, with a line that says how much. Between
// `head` and `tail` so many bytes are missing already. Empty when there is nothing to see.
[[nodiscard]] std::string shortened(
    std::string_view head, std::uint64_t missing, std::string_view tail, std::size_t chars);

} // namespace agentd::tools
