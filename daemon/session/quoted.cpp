#include "session/quoted.hpp"

#include <cstring>
#include <vector>

namespace agentd::session {
namespace {

// Cuts `text` into lines; CR, VT, FF, NEL and U+2028/9 end lines, too.
std::vector<std::string_view> lines_of(std::string_view text)
{
    std::vector<std::string_view> lines;
    std::size_t start = 0;
    std::size_t i = 0;
    while (i < text.size()) {
        const auto rest = text.substr(i);
        std::size_t mark = 0;
        if (rest.starts_with("\r\n"))
            mark = 2;
        else if (std::strchr("\n\r\v\f", rest.front()) != nullptr)
            mark = 1;
        else if (rest.starts_with("\xC2\x85"))
            mark = 2;
        else if (rest.starts_with("\xE2\x80\xA8") || rest.starts_with("\xE2\x80\xA9"))
            mark = 3;
        if (mark == 0) {
            ++i;
            continue;
        }
        lines.push_back(text.substr(start, i - start));
        i += mark;
        start = i;
    }
    if (start < text.size())
        lines.push_back(text.substr(start));
    return lines;
}

} // namespace

std::string quoted(std::string_view text)
{
    std::string out;
    for (const auto line : lines_of(text))
        out.append("| ").append(line).push_back('\n');
    return out;
}

} // namespace agentd::session
