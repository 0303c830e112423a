// See text_findings.hpp. Pure; any thread.
#include "text_findings.hpp"

#include "message_text.hpp"

#include <regex>

namespace agentd::testing {

namespace {

// std::regex recurses per character in the worst case; this much text it can bear.
constexpr std::size_t longest_regex_text = 64U << 10U;
constexpr std::size_t longest_quote = 600;

} // namespace

std::string quoted(std::string_view text)
{
    return "\"" + shortened(text, longest_quote) + "\"";
}

finding lacks(std::string_view field, const std::vector<std::string>& parts, std::string_view text,
    const variables& known)
{
    for (const auto& part : parts) {
        auto wanted = substituted(std::string_view{part}, known);
        if (text.find(wanted) == std::string_view::npos)
            return std::string{field} + ": " + quoted(wanted) + " is not in " + quoted(text);
    }
    return std::nullopt;
}

finding must_hold(std::string_view field, const std::vector<std::string>& parts,
    std::string_view text, const variables& known)
{
    for (const auto& part : parts) {
        auto unwanted = substituted(std::string_view{part}, known);
        if (text.find(unwanted) != std::string_view::npos)
            return std::string{field} + ": " + quoted(unwanted) + " is in " + quoted(text);
    }
    return std::nullopt;
}

finding lacks_order(std::string_view field, const std::vector<std::string>& parts,
    std::string_view text, const variables& known)
{
    std::size_t from = 0;
    for (const auto& part : parts) {
        auto wanted = substituted(std::string_view{part}, known);
        auto at = text.find(wanted, from);
        if (at == std::string_view::npos)
            return std::string{field} + ": " + quoted(wanted) + " is not in " + quoted(text) +
                " behind what must come before it";
        from = at + wanted.size();
    }
    return std::nullopt;
}

std::optional<std::string> first_group(std::string_view in, const std::string& pattern)
{
    std::string text{in.substr(0, longest_regex_text)};
    std::smatch match;
    try {
        if (std::regex_search(text, match, std::regex{pattern}))
            return match.size() > 1 ? match[1].str() : match[0].str();
    } catch (const std::regex_error&) { // too complex for this text: as good as no match
    }
    return std::nullopt;
}

finding lacks_matches(
    const std::vector<std::string>& patterns, std::string_view text, const variables& known)
{
    for (const auto& pattern : patterns) {
        auto filled = substituted(std::string_view{pattern}, known);
        if (!first_group(text, filled))
            return "matches: " + quoted(filled) + " does not match " + quoted(text);
    }
    return std::nullopt;
}

finding not_once(
    const std::vector<std::string>& parts, std::string_view text, const variables& known)
{
    for (const auto& part : parts) {
        auto wanted = substituted(std::string_view{part}, known);
        std::size_t count = 0;
        for (auto at = text.find(wanted); at != text.npos; at = text.find(wanted, at + 1))
            ++count;
        if (count != 1)
            return "history_once: " + quoted(wanted) + " is there " + std::to_string(count) +
                " times";
    }
    return std::nullopt;
}

} // namespace agentd::testing
