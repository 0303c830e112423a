// Text that came from elsewhere (command output, file content, user input) made fit to
// show: valid UTF-8, no control characters that could act on a terminal or a parser.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace agentd::base {

// True if `bytes` are UTF-8 as RFC 3629 has it (no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view bytes);

// What a model may see of a command's output: invalid UTF-8 and NUL become U+FFFD, terminal
// escape sequences (ESC [ ... , ESC ] ... , two-byte ones) and other C0/C1 controls but TAB,
// LF, CR are replaced by nothing or U+FFFD. Never longer than three times the input.
[[nodiscard]] std::string printable(std::string_view bytes);

// Number of code points; `text` is valid UTF-8.
[[nodiscard]] std::size_t count_chars(std::string_view text);

// The first / last `n` code points of valid UTF-8.
[[nodiscard]] std::string_view first_chars(std::string_view text, std::size_t n);
[[nodiscard]] std::string_view last_chars(std::string_view text, std::size_t n);

// One line of at most `n` code points, cut with "...": control characters and what else ends a
// line (NEL, U+2028, U+2029) are escaped as \n, \t, \xNN, \uNNNN. For a command in a status
// line or an event.
[[nodiscard]] std::string one_line(std::string_view bytes, std::size_t n);

// Without white space at both ends.
[[nodiscard]] std::string_view strip(std::string_view text);

// With A to Z as a to z; other bytes as they are.
[[nodiscard]] std::string lower(std::string_view text);

// Makes `<background-results` and `</background-results` harmless: their `<` becomes U+2039.
[[nodiscard]] std::string defuse_markers(std::string_view text);

} // namespace agentd::base
