// See validator_rules.hpp: what all chapters of the validator use. Pure; any thread.
#include "validator_rules.hpp"

#include <algorithm>

namespace agentd::testing {

namespace json = boost::json;

namespace {

constexpr int most_cache_marks = 4; // the API's limit, the automatic one included

std::string_view name_of(shape wanted)
{
    switch (wanted) {
    case shape::text: return "Input should be a valid string";
    case shape::flag: return "Input should be a valid boolean";
    case shape::integer: return "Input should be a valid integer";
    case shape::object: return "Input should be a valid dictionary";
    case shape::list: return "Input should be a valid list";
    case shape::text_or_list: return "Input should be a valid string or list";
    case shape::any: break;
    }
    return "Input is not valid";
}

} // namespace

complaint cache_marks::add(const json::value& mark, const std::string& path)
{
    const auto* object = mark.if_object();
    if (object == nullptr)
        return path + ": Input should be a valid dictionary";
    constexpr field_rule rules[] = {{"type", shape::text, true}, {"ttl", shape::text, false}};
    if (auto wrong = check_fields(*object, rules, path))
        return wrong;
    if (object->at("type").get_string() != "ephemeral")
        return path + ".type: Input should be 'ephemeral'";
    std::string_view ttl = "5m";
    if (const auto* given = object->if_contains("ttl"))
        ttl = given->get_string();
    if (ttl != "5m" && ttl != "1h")
        return path + ".ttl: Input should be '5m' or '1h'";
    if (ttl == "1h" && short_seen_)
        return path +
            ".ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
            "cache_control block";
    short_seen_ = short_seen_ || ttl == "5m";
    if (++count_ > most_cache_marks)
        return "A maximum of 4 blocks with cache_control may be provided. Found " +
            std::to_string(count_) + ".";
    return std::nullopt;
}

complaint check_fields(
    const json::object& object, std::span<const field_rule> rules, const std::string& path)
{
    for (const auto& rule : rules) {
        const auto* value = object.if_contains(rule.name);
        if (value == nullptr && rule.required)
            return below(path, rule.name) + ": Field required";
        if (value != nullptr && !has_shape(*value, rule.is))
            return below(path, rule.name) + ": " + std::string{name_of(rule.is)};
    }
    for (const auto& member : object) {
        std::string_view name = member.key();
        if (std::ranges::find(rules, name, &field_rule::name) == rules.end())
            return below(path, name) + ": Extra inputs are not permitted";
    }
    return std::nullopt;
}

bool has_shape(const json::value& value, shape wanted)
{
    switch (wanted) {
    case shape::text: return value.is_string();
    case shape::flag: return value.is_bool();
    case shape::integer: return value.is_int64() || value.is_uint64();
    case shape::object: return value.is_object();
    case shape::list: return value.is_array();
    case shape::text_or_list: return value.is_string() || value.is_array();
    case shape::any: break;
    }
    return true;
}

bool is_blank(std::string_view text)
{
    return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

bool is_word(std::string_view text, std::size_t limit)
{
    auto ok = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '_' || c == '-';
    };
    return !text.empty() && text.size() <= limit && std::ranges::all_of(text, ok);
}

std::string below(const std::string& path, std::string_view name)
{
    return path.empty() ? std::string{name} : path + "." + std::string{name};
}

std::string below(const std::string& path, std::size_t index)
{
    return path + "." + std::to_string(index);
}

} // namespace agentd::testing
