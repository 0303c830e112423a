#include "tools/file_head.hpp"

#include "tools/output_text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace agentd::tools {
namespace {

constexpr std::size_t longest_char = 4; // bytes of UTF-8
constexpr std::size_t note = 120;       // characters of the last line, at most

} // namespace

file_head::file_head(std::optional<std::uint64_t> lines, std::size_t chars)
    : limit_(lines), chars_(chars)
{}

void file_head::feed(std::string_view bytes)
{
    while (!bytes.empty()) {
        const bool shown = !limit_ || lines_ < *limit_;
        if (!shown || full_) { // from here on lines are only counted
            lines_ += static_cast<std::uint64_t>(std::ranges::count(bytes, '\n'));
            in_line_ = bytes.back() != '\n';
            return;
        }
        const auto end = bytes.find('\n');
        const auto line = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
        keep(line);
        lines_ += end == std::string_view::npos ? 0 : 1;
        in_line_ = end == std::string_view::npos;
        bytes.remove_prefix(line.size());
    }
}

void file_head::keep(std::string_view bytes)
{
    const std::size_t room = longest_char * (chars_ + 1) - kept_.size();
    kept_.append(bytes.substr(0, room));
    full_ = bytes.size() >= room;
}

std::string file_head::text(std::uint64_t file_size) const
{
    const auto fits = prefix_bytes(kept_, chars_);
    const std::uint64_t total = lines_ + (in_line_ ? 1 : 0);
    const bool more_lines = limit_ && total > *limit_;
    std::string last;
    if (!full_ && fits == kept_.size() && more_lines)
        last = fmt::format("... ({} more)", total - *limit_);
    // With the last line in its place the text has to fit, too.
    if (!full_ && prefix_bytes(kept_, chars_ - last.size()) == kept_.size()) {
        if (kept_.empty() && last.empty())
            return "(empty file)";
        return valid_text(kept_) + last;
    }
    const auto shown = prefix_bytes(kept_, chars_ - std::min(chars_, note));
    return fmt::format("{}\n... (cut: {} more bytes; a command like sed -n '100,200p' shows them)",
        valid_text(std::string_view{kept_}.substr(0, shown)),
        std::max<std::uint64_t>(file_size, kept_.size()) - shown);
}

} // namespace agentd::tools
