#include "base/clock.hpp"

#include <fmt/format.h>

#include <charconv>

namespace agentd::base {
namespace {

using namespace std::chrono;

// Reads exactly `digits` decimal digits at `pos`; nullopt if there are other characters.
std::optional<int> digits_at(std::string_view text, std::size_t pos, std::size_t digits)
{
    if (text.size() < pos + digits)
        return std::nullopt;
    int value = 0;
    const char* end = text.data() + pos + digits;
    const auto [stop, ec] = std::from_chars(text.data() + pos, end, value);
    if (ec != std::errc{} || stop != end || value < 0)
        return std::nullopt;
    return value;
}

// "Z" or "+hh:mm" at the end of a time; nullopt for anything else.
std::optional<minutes> offset_of(std::string_view zone)
{
    if (zone == "Z" || zone == "z")
        return minutes{0};
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':')
        return std::nullopt;
    const auto hour = digits_at(zone, 1, 2);
    const auto minute = digits_at(zone, 4, 2);
    if (!hour || !minute)
        return std::nullopt;
    const minutes span = hours{*hour} + minutes{*minute};
    return zone[0] == '-' ? -span : span;
}

} // namespace

wall_time wall_now()
{
    return floor<milliseconds>(system_clock::now());
}

mono_time mono_now()
{
    return steady_clock::now();
}

milliseconds elapsed_since(mono_time since)
{
    const auto span = duration_cast<milliseconds>(mono_now() - since);
    return span.count() < 0 ? milliseconds{0} : span;
}

std::string to_rfc3339(wall_time time)
{
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss clock{time - day};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
        clock.subseconds().count());
}

std::optional<wall_time> from_rfc3339(std::string_view text)
{
    constexpr std::size_t seconds_end = 19; // "2026-11-20T07:37:09"
    if (text.size() <= seconds_end || (text[10] != 'T' && text[10] != 't'))
        return std::nullopt;
    const auto y = digits_at(text, 0, 4), mo = digits_at(text, 5, 2), d = digits_at(text, 8, 2);
    const auto h = digits_at(text, 11, 2), mi = digits_at(text, 14, 2), s = digits_at(text, 17, 2);
    if (!y || !mo || !d || !h || !mi || !s || text[4] != '-' || text[7] != '-' || text[13] != ':' ||
        text[16] != ':' || *h > 23 || *mi > 59 || *s > 60)
        return std::nullopt;
    const year_month_day date{
        year{*y}, month{static_cast<unsigned>(*mo)}, day{static_cast<unsigned>(*d)}};
    if (!date.ok())
        return std::nullopt;
    auto rest = text.substr(seconds_end);
    int ms = 0;
    if (rest.front() == '.') {
        auto end = rest.find_first_not_of("0123456789", 1);
        end = end == std::string_view::npos ? rest.size() : end;
        std::string three{rest.substr(1, std::min<std::size_t>(3, end - 1))};
        three.resize(3, '0');
        ms = digits_at(three, 0, 3).value_or(0);
        rest.remove_prefix(end);
    }
    const auto zone = offset_of(rest);
    if (!zone)
        return std::nullopt;
    return sys_days{date} + hours{*h} + minutes{*mi} + seconds{*s} + milliseconds{ms} - *zone;
}

} // namespace agentd::base
