#include "model/anthropic/rate_headers.hpp"

#include "base/text.hpp"
#include "model/retry_policy.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>

namespace agentd::model::anthropic {
namespace {

constexpr std::string_view prefix = "anthropic-ratelimit-";
constexpr std::array kinds = {std::string_view{"requests"}, std::string_view{"tokens"},
    std::string_view{"input-tokens"}, std::string_view{"output-tokens"}};

std::string_view field(const reply_head& head, std::string_view kind, std::string_view what)
{
    return head.field(std::string{prefix}.append(kind).append("-").append(what));
}

bool is_zero(std::string_view text)
{
    text = base::strip(text);
    std::int64_t number = -1;
    const auto [stopped, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failed == std::errc{} && stopped == text.data() + text.size() && number == 0;
}

} // namespace

std::optional<std::chrono::milliseconds> spent_for(const reply_head& head, base::wall_time now)
{
    const bool told = std::ranges::any_of(
        head.fields, [](const auto& entry) { return entry.first.starts_with(prefix); });
    if (!told)
        return std::nullopt;
    const auto server_now = parse_http_date(head.field("date")).value_or(now);
    std::optional<std::chrono::milliseconds> longest;
    for (const auto kind : kinds) {
        // A limit of 0 is no limit that could be waited for.
        if (!is_zero(field(head, kind, "remaining")) || is_zero(field(head, kind, "limit")))
            continue;
        const auto reset = base::from_rfc3339(base::strip(field(head, kind, "reset")));
        if (reset && *reset > server_now)
            longest = std::max(longest.value_or(std::chrono::milliseconds{0}), *reset - server_now);
    }
    if (longest)
        longest = std::min(*longest, longest_wish);
    return longest;
}

} // namespace agentd::model::anthropic
