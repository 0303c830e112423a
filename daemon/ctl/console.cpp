#include "ctl/console.hpp"

#include "base/text.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace agentd::ctl {
namespace {

constexpr std::size_t no_width = 100'000;

bool colours_wanted()
{
    const char* refused = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    return (refused == nullptr || *refused == '\0') && term != nullptr &&
        std::string_view{term} != "dumb";
}

std::string_view code_of(colour how)
{
    switch (how) {
    case colour::none: return "";
    case colour::good: return "\x1b[32m";
    case colour::bad: return "\x1b[31m";
    case colour::warn: return "\x1b[33m";
    case colour::faint: return "\x1b[2m";
    }
    return "";
}

std::string padded(std::string text, std::size_t width)
{
    const auto have = base::count_chars(text);
    if (have < width)
        text.append(width - have, ' ');
    return text;
}

// How many bytes at the end of `bytes` may be the beginning of something longer.
std::size_t unfinished_tail(std::string_view bytes)
{
    constexpr std::size_t longest_escape = 64; // a longer one is shown as text
    const auto recent = bytes.substr(bytes.size() - std::min(bytes.size(), longest_escape));
    if (const auto esc = recent.rfind('\x1b'); esc != std::string_view::npos) {
        const auto sequence = recent.substr(esc);
        const bool csi = sequence.size() >= 2 && sequence[1] == '[';
        const bool ended = csi &&
            std::ranges::any_of(sequence.substr(2), [](char c) { return c >= 0x40 && c <= 0x7E; });
        if (sequence.size() == 1 || (csi && !ended))
            return sequence.size();
    }
    if (bytes.ends_with('\r'))
        return 1;
    for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
        const auto c = static_cast<unsigned char>(bytes[bytes.size() - back]);
        if (c < 0x80)
            return 0;
        if (c >= 0xC0) // the lead of a sequence of 2, 3 or 4 bytes
            return (c >= 0xF0 ? 4U : c >= 0xE0 ? 3U : 2U) > back ? back : 0;
    }
    return 0;
}

} // namespace

console::console(std::FILE* out, std::FILE* err)
    : out_(out),
      err_(err),
      terminal_(::isatty(::fileno(out)) == 1),
      talk_terminal_(::isatty(::fileno(err)) == 1),
      colours_(terminal_ && colours_wanted())
{}

void console::raw(std::string_view bytes)
{
    std::fwrite(bytes.data(), 1, bytes.size(), out_);
}

void console::text(std::string_view text)
{
    raw(harmless(text));
}

void console::line(std::string_view text)
{
    raw(harmless(text) + "\n");
}

void console::say(std::string_view text)
{
    std::fflush(out_); // what both show on one terminal stays in order
    const auto safe = harmless(text) + "\n";
    std::fwrite(safe.data(), 1, safe.size(), err_);
    std::fflush(err_);
}

void console::progress(std::string_view text)
{
    if (talk_terminal_)
        say(text);
}

std::string console::paint(colour how, std::string_view text) const
{
    const auto code = colours_ ? code_of(how) : std::string_view{};
    auto safe = harmless(text);
    return code.empty() ? safe : std::string{code} + safe + "\x1b[0m";
}

void console::styled(std::string_view line)
{
    raw(std::string{line} + "\n");
}

void console::table(
    const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows)
{
    constexpr std::size_t cell_chars = 200; // no column is wider
    std::vector<std::vector<std::string>> safe{head};
    for (const auto& row : rows)
        safe.push_back(row);
    std::vector<std::size_t> widths(head.size(), 0);
    for (auto& row : safe)
        for (std::size_t i = 0; i < row.size(); ++i) {
            row[i] = base::one_line(row[i], cell_chars);
            widths[i] = std::max(widths[i], base::count_chars(row[i]));
        }
    for (std::size_t r = 0; r < safe.size(); ++r) {
        std::string out;
        std::size_t used = 0;
        for (std::size_t i = 0; i + 1 < head.size(); ++i) {
            const auto cell = padded(safe[r][i], widths[i]);
            const auto how = r == 0 ? colour::faint : colour_of(safe[r][i]);
            out += paint(how, cell) + "  ";
            used += widths[i] + 2;
        }
        const auto room = width() > used + 1 ? width() - used - 1 : 1;
        out +=
            paint(r == 0 ? colour::faint : colour::none, base::first_chars(safe[r].back(), room));
        styled(out);
    }
}

std::size_t console::width() const
{
    winsize size{};
    if (!terminal_ || ::ioctl(::fileno(out_), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return no_width;
    return size.ws_col;
}

bool console::flush()
{
    return std::fflush(out_) == 0 && std::ferror(out_) == 0;
}

std::string harmless(std::string_view text)
{
    const auto safe = base::printable(text);
    std::string out;
    out.reserve(safe.size());
    for (std::size_t i = 0; i < safe.size(); ++i) {
        const char c = safe[i];
        if (c == '\r' && i + 1 < safe.size() && safe[i + 1] == '\n')
            continue;
        out.push_back(c == '\r' || c == '\v' || c == '\f' ? '\n' : c);
    }
    return out;
}

std::string harmless_stream::feed(std::string_view bytes)
{
    held_ += bytes;
    const auto whole = held_.size() - unfinished_tail(held_);
    auto out = harmless(std::string_view{held_}.substr(0, whole));
    held_.erase(0, whole);
    return out;
}

std::string harmless_stream::finish()
{
    return harmless(std::exchange(held_, {}));
}

colour colour_of(std::string_view state)
{
    if (state == "succeeded" || state == "completed")
        return colour::good;
    if (state == "failed" || state == "error" || state == "lost" || state == "timeout")
        return colour::bad;
    if (state == "cancelled" || state == "killed")
        return colour::warn;
    return colour::none;
}

} // namespace agentd::ctl
