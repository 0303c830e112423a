#include "model/retry_policy.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace agentd::model {
namespace {

using std::chrono::milliseconds;

constexpr std::array final_types = {std::string_view{"invalid_request_error"},
    std::string_view{"authentication_error"}, std::string_view{"billing_error"},
    std::string_view{"permission_error"}, std::string_view{"not_found_error"},
    std::string_view{"request_too_large"}};
constexpr std::array spend_limits = {std::string_view{"enforced_spend_limit_reached"},
    std::string_view{"contract_spend_limit_reached"}};

bool is_retried_status(int status)
{
    return status == 408 || status == 409 || status == 429 || status >= 500;
}

// A finite, positive number that is all of `text`.
std::optional<double> positive(std::string_view text)
{
    double number = 0;
    text = base::strip(text);
    const auto [stopped, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || failed != std::errc{} || stopped != text.data() + text.size())
        return std::nullopt;
    return std::isfinite(number) && number > 0 ? std::optional{number} : std::nullopt;
}

milliseconds as_milliseconds(double number)
{
    constexpr auto longest = static_cast<double>(longest_wish.count());
    return milliseconds{static_cast<std::int64_t>(std::ceil(std::min(number, longest)))};
}

double seconds(milliseconds span)
{
    return static_cast<double>(span.count()) / 1000;
}

// For the rest of the month: no waiting helps.
bool is_spend_limit(const attempt_failure& what)
{
    return std::ranges::find(spend_limits, what.code) != spend_limits.end();
}

} // namespace

bool is_overload(const attempt_failure& what)
{
    return what.told.status == 529 || what.told.type == "overloaded_error";
}

bool is_bad_credential(const attempt_failure& what)
{
    return what.told.status == 401;
}

std::optional<milliseconds> hold_for(const attempt_failure& what, std::optional<milliseconds> delay)
{
    const bool is_limit = what.told.status == 429 || what.told.status == 503 || is_overload(what);
    if (!is_limit || is_spend_limit(what))
        return std::nullopt;
    if (what.retry_after)
        return what.retry_after;
    // A limit is everybody's; how long, nobody knows. An overload meets one and not the other.
    if (what.told.status != 429 || !delay)
        return std::nullopt;
    return std::min<milliseconds>(*delay, limits::backoff_first);
}

std::optional<base::wall_time> parse_http_date(std::string_view text)
{
    std::tm parts{};
    const std::string copy{base::strip(text)};
    const char* const end = ::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end == nullptr || *end != '\0')
        return std::nullopt;
    return base::wall_time{std::chrono::seconds{::timegm(&parts)}};
}

std::optional<milliseconds> parse_retry_after(
    std::string_view retry_after_ms, std::string_view retry_after, base::wall_time now)
{
    if (const auto ms = positive(retry_after_ms))
        return as_milliseconds(*ms);
    if (const auto s = positive(retry_after))
        return as_milliseconds(*s * 1000);
    const auto date = parse_http_date(retry_after);
    if (!date || *date <= now)
        return std::nullopt;
    return std::min<milliseconds>(*date - now, longest_wish);
}

retry_policy::decision retry_policy::on_failure(
    const attempt_failure& what, base::mono_time now, double random)
{
    ++failed_;
    malformed_ = what.what == attempt_failure::kind::malformed ? malformed_ + 1 : 0;
    if (is_final(what))
        return give_up{};
    if (attempts_ != 0 && failed_ >= attempts_)
        return give_up{attempts_ == 1 ? "" : fmt::format("given up after {} attempts", failed_)};
    const milliseconds delay = delay_for(what, random);
    if (delay > left(now)) {
        if (what.retry_after)
            return give_up{
                fmt::format("the server asks to wait {:.1f} s, {:.1f} s are left for retries",
                    seconds(*what.retry_after), seconds(left(now)))};
        return give_up{fmt::format("given up after {} attempts in {:.0f} s", failed_,
            seconds(std::chrono::duration_cast<milliseconds>(now - start_)))};
    }
    return again{delay};
}

milliseconds retry_policy::left(base::mono_time now) const
{
    const auto spent = std::chrono::duration_cast<milliseconds>(now - start_);
    return std::max(retry_for_ - spent, milliseconds{0});
}

bool retry_policy::is_final(const attempt_failure& what) const
{
    using enum attempt_failure::kind;
    if (is_spend_limit(what) || is_bad_credential(what))
        return true; // whatever x-should-retry says
    if (what.should_retry)
        return !*what.should_retry;
    switch (what.what) {
    case connection: return false;
    case refused:
    case useless: return true;
    case http: return !is_retried_status(what.told.status.value_or(0));
    case stream: return std::ranges::find(final_types, what.told.type) != final_types.end();
    case malformed: return malformed_ >= static_cast<std::int64_t>(limits::malformed_replies);
    }
    return true;
}

milliseconds retry_policy::delay_for(const attempt_failure& what, double random)
{
    // A server's wish is a floor: the jitter only adds. The own backoff is shortened by it.
    constexpr double spread_above = 0.1, spread_below = 0.25;
    if (what.retry_after) {
        const double wished = static_cast<double>(what.retry_after->count());
        return as_milliseconds(wished * (1 + spread_above * random));
    }
    constexpr int most_doublings = 30; // no overflow; the longest backoff is reached far earlier
    const milliseconds longest = limits::backoff_longest;
    const milliseconds first = limits::backoff_first;
    const milliseconds full =
        std::min(first * (std::int64_t{1} << std::min(backoffs_, most_doublings)), longest);
    ++backoffs_;
    return as_milliseconds(static_cast<double>(full.count()) * (1 - spread_below * random));
}

} // namespace agentd::model
