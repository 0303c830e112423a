#include "api/request.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace agentd::api {
namespace {

std::optional<int> hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return std::nullopt;
}

base::error bad_target(std::string_view reason)
{
    return {errc::bad_target, std::string{reason}};
}

base::result<> take_query(request& into, std::string_view text)
{
    while (!text.empty()) {
        const auto end = std::min(text.find('&'), text.size());
        const auto pair = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (pair.empty())
            continue;
        const auto equals = std::min(pair.find('='), pair.size());
        auto name = percent_decoded(pair.substr(0, equals), true);
        auto value = percent_decoded(pair.substr(std::min(equals + 1, pair.size())), true);
        if (!name || !value)
            return std::unexpected(bad_target("the query is not percent-encoded UTF-8"));
        into.query.emplace_back(std::move(*name), std::move(*value));
    }
    return {};
}

} // namespace

const std::string* request::field(std::string_view name) const
{
    const auto found =
        std::ranges::find_if(fields, [name](const auto& one) { return one.first == name; });
    return found == fields.end() ? nullptr : &found->second;
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            out += ' ';
        } else if (text[i] != '%') {
            out += text[i];
        } else {
            if (text.size() - i < 3)
                return std::nullopt;
            const auto first = hex_digit(text[i + 1]);
            const auto second = hex_digit(text[i + 2]);
            if (!first || !second)
                return std::nullopt;
            out += static_cast<char>(*first * 16 + *second);
            i += 2;
        }
    }
    if (out.find('\0') != std::string::npos || !base::is_utf8(out))
        return std::nullopt;
    return out;
}

base::result<> take_target(request& into, std::string_view target)
{
    if (!target.starts_with('/'))
        return std::unexpected(bad_target("the target must be a path that begins with /"));
    const auto question = std::min(target.find('?'), target.size());
    auto path = target.substr(0, question);
    into.raw_path = path;
    while (!path.empty()) {
        path.remove_prefix(1); // the slash
        const auto end = std::min(path.find('/'), path.size());
        auto segment = percent_decoded(path.substr(0, end), false);
        if (!segment)
            return std::unexpected(bad_target("the path is not percent-encoded UTF-8"));
        into.path.push_back(std::move(*segment));
        path.remove_prefix(end);
    }
    return take_query(into, target.substr(std::min(question + 1, target.size())));
}

std::vector<std::string> parameters::all(std::string_view name)
{
    asked_.emplace(name);
    std::vector<std::string> found;
    for (const auto& [key, value] : *from_) {
        if (key == name)
            found.push_back(value);
    }
    return found;
}

std::string parameters::text(std::string_view name)
{
    auto found = all(name);
    if (found.size() > 1)
        complain(name, "is given more than once");
    return found.empty() ? std::string{} : std::move(found.front());
}

bool parameters::has(std::string_view name)
{
    return !all(name).empty();
}

std::vector<std::string> parameters::list(std::string_view name)
{
    std::vector<std::string> items;
    for (const auto& text : all(name)) {
        std::string_view rest{text};
        while (!rest.empty()) {
            const auto end = std::min(rest.find(','), rest.size());
            if (end > 0)
                items.emplace_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    return items;
}

std::uint64_t parameters::number(
    std::string_view name, std::uint64_t absent, std::uint64_t least, std::uint64_t most)
{
    if (!has(name))
        return absent;
    const std::string value = text(name);
    std::uint64_t number = 0;
    const char* end = value.data() + value.size();
    const auto [stop, fault] = std::from_chars(value.data(), end, number);
    if (fault != std::errc{} || stop != end || number < least || number > most)
        complain(name, fmt::format("must be a whole number from {} to {}", least, most));
    return number;
}

bool parameters::flag(std::string_view name)
{
    if (!has(name))
        return false;
    const std::string value = text(name);
    const bool yes = value == "1" || value == "true";
    if (!yes && value != "0" && value != "false")
        complain(name, "must be 1 or 0");
    return yes;
}

void parameters::complain(std::string_view name, std::string_view reason)
{
    if (!wrong_)
        wrong_ =
            base::error{errc::invalid_parameter, fmt::format("field \"{}\": {}", name, reason)};
}

std::optional<base::error> parameters::wrong()
{
    for (const auto& [name, value] : *from_) {
        if (!asked_.contains(name))
            complain(base::one_line(name, 64), "is not a parameter of this call");
    }
    return wrong_;
}

} // namespace agentd::api
