#include "ctl/format.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace agentd::ctl {
namespace {

constexpr std::int64_t second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
constexpr std::size_t value_chars = 100; // of one member in an event's line

// Members that every event's line has at its head.
bool is_common(std::string_view name)
{
    constexpr std::array<std::string_view, 6> common{
        "seq", "time", "type", "session_id", "task_id", "job_id"};
    return std::ranges::find(common, name) != common.end();
}

void append_members(std::string& out, const proto::json::value& object, const std::string& prefix)
{
    for (const auto& [name, value] : object.members()) {
        if (prefix.empty() && is_common(name))
            continue;
        if (value.is(proto::json::kind::object))
            append_members(out, value, prefix + name + ".");
        else if (!value.is(proto::json::kind::null))
            out += fmt::format(
                " {}{}={}", prefix, name, base::one_line(plain_text(value), value_chars));
    }
}

std::string indented(std::string_view text)
{
    std::string out;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        out += "\n    ";
        out += text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

std::string member(const proto::json::value& object, std::string_view name)
{
    const auto* text = object.find_string(name);
    return text == nullptr ? std::string{} : *text;
}

} // namespace

std::string short_duration(std::int64_t ms)
{
    if (ms < second)
        return fmt::format("{}ms", std::max<std::int64_t>(ms, 0));
    if (ms < minute)
        return fmt::format("{}.{}s", ms / second, ms % second / 100);
    if (ms < hour)
        return fmt::format("{}m{:02}s", ms / minute, ms % minute / second);
    if (ms < day)
        return fmt::format("{}h{:02}m", ms / hour, ms % hour / minute);
    return fmt::format("{}d{:02}h", ms / day, ms % day / hour);
}

std::string short_age(base::wall_time then, base::wall_time now)
{
    const auto ms = std::max<std::int64_t>((now - then).count(), 0);
    if (ms < minute)
        return fmt::format("{}s", ms / second);
    if (ms < hour)
        return fmt::format("{}m", ms / minute);
    return ms < day ? fmt::format("{}h", ms / hour) : fmt::format("{}d", ms / day);
}

std::string short_bytes(std::uint64_t bytes)
{
    constexpr double step = 1024;
    if (bytes < 1024)
        return fmt::format("{}", bytes);
    auto size = static_cast<double>(bytes);
    std::size_t unit = 0;
    constexpr std::string_view units = "KMGTPE";
    for (size /= step; size >= step && unit + 1 < units.size(); ++unit)
        size /= step;
    return fmt::format("{:.1f}{}", size, units[unit]);
}

std::string short_cost(double usd)
{
    return usd > 0 ? fmt::format("${:.4f}", usd) : std::string{"-"};
}

std::string plain_text(const proto::json::value& value)
{
    const auto* text = value.as_string();
    return text == nullptr ? std::string{value.raw()} : *text;
}

std::string event_text(const proto::json::value& event)
{
    constexpr std::size_t clock_begin = 11, clock_chars = 12; // of 2026-11-20T07:37:09.123Z
    const auto type = member(event, "type");
    const auto time = member(event, "time");
    std::string out;
    if (time.size() >= clock_begin + clock_chars)
        out = time.substr(clock_begin, clock_chars);
    for (const auto* id : {"task_id", "job_id"})
        if (const auto text = member(event, id); !text.empty())
            out += " " + text;
    if (!event.find("task_id"))
        if (const auto session = member(event, "session_id"); !session.empty())
            out += " " + session;
    out += " " + type;
    if (type == "model.text" || type == "model.delta")
        return base::one_line(out, value_chars) + indented(member(event, "text"));
    append_members(out, event, "");
    return out;
}

} // namespace agentd::ctl
