// Where agentctl writes: data to stdout, talk to stderr. What came from elsewhere passes
// through here, so that no control character reaches a terminal. One thread.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::ctl {

enum class colour { none, good, bad, warn, faint };

class console {
public:
    // `out` and `err` outlive the console. Colour where `out` is a terminal and the environment
    // does not refuse it (NO_COLOR, TERM=dumb).
    console(std::FILE* out, std::FILE* err);

    // Bytes to stdout as they are: JSON lines, `output --raw`.
    void raw(std::string_view bytes);
    // Text to stdout, made harmless; line ends are the caller's.
    void text(std::string_view text);
    // One line to stdout, made harmless.
    void line(std::string_view text);
    // One line of talk to stderr, made harmless.
    void say(std::string_view text);
    // What only people at a terminal want to read.
    void progress(std::string_view text);

    // `text` made harmless and coloured, for line pieces given to `styled`.
    [[nodiscard]] std::string paint(colour how, std::string_view text) const;
    // A line made of pieces of paint() and literals; goes out as it is.
    void styled(std::string_view line);

    // Aligned columns under `head`; the last one is cut to the terminal's width.
    void table(
        const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows);

    [[nodiscard]] bool is_terminal() const { return terminal_; }
    // Columns of the terminal; a large number where there is none.
    [[nodiscard]] std::size_t width() const;
    // False when something could not be written.
    [[nodiscard]] bool flush();

private:
    std::FILE* out_;
    std::FILE* err_;
    bool terminal_;
    bool talk_terminal_;
    bool colours_;
};

// base::printable, and the line movements that it lets through made line ends.
[[nodiscard]] std::string harmless(std::string_view text);

// A stream of bytes made harmless piece by piece: what a piece cuts in two (a UTF-8 sequence,
// an escape sequence, CR LF) waits for the next one.
class harmless_stream {
public:
    [[nodiscard]] std::string feed(std::string_view bytes);
    [[nodiscard]] std::string finish();

private:
    std::string held_;
};

// The colour that a task's or a job's state has.
[[nodiscard]] colour colour_of(std::string_view state);

} // namespace agentd::ctl
