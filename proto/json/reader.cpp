#include "proto/json/reader.hpp"

#include "base/text.hpp"
#include "proto/json/document_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace agentd::proto::json {

std::string_view error_text(errc value)
{
    switch (value) {
    case errc::malformed: return "malformed JSON";
    case errc::wrong_type: return "wrong type";
    case errc::missing_field: return "missing field";
    case errc::unknown_field: return "unknown field";
    case errc::bad_value: return "bad value";
    }
    return "unknown JSON error";
}

// --- value

const std::string* value::as_string() const
{
    return kind_ == kind::string ? &text_ : nullptr;
}

std::optional<bool> value::as_boolean() const
{
    if (kind_ != kind::boolean)
        return std::nullopt;
    return raw_ == "true";
}

std::optional<std::int64_t> value::as_integer() const
{
    std::int64_t number = 0;
    const char* const end = raw_.data() + raw_.size();
    if (kind_ != kind::number)
        return std::nullopt;
    const auto [stopped, failed] = std::from_chars(raw_.data(), end, number);
    if (failed != std::errc{} || stopped != end)
        return std::nullopt;
    return number;
}

std::optional<double> value::as_number() const
{
    if (kind_ != kind::number)
        return std::nullopt;
    double number = 0;
    const auto [stopped, failed] = std::from_chars(raw_.data(), raw_.data() + raw_.size(), number);
    if (failed == std::errc::result_out_of_range) {
        // Too small is as good as nothing; too large has no finite form.
        const auto exponent = raw_.find_first_of("eE");
        const bool tiny =
            exponent != std::string_view::npos && raw_.substr(exponent + 1).starts_with('-');
        return tiny ? 0.0 : std::numeric_limits<double>::infinity();
    }
    return number;
}

std::span<const value> value::items() const
{
    return items_;
}

std::span<const member> value::members() const
{
    return members_;
}

const value* value::find(std::string_view name) const
{
    const auto found = std::ranges::find(members_, name, &member::name);
    return found == members_.end() ? nullptr : &found->value;
}

const std::string* value::find_string(std::string_view name) const
{
    const value* found = find(name);
    return found == nullptr ? nullptr : found->as_string();
}

// --- document

const value& document::root() const
{
    return state_->root;
}

std::string_view document::bytes() const
{
    return state_->bytes;
}

// --- object

base::result<object> parse_object(
    std::string_view bytes, lone_surrogates halves, std::size_t deepest)
{
    auto parsed = parse(bytes, halves, deepest);
    if (!parsed)
        return std::unexpected(std::move(parsed.error()));
    const value& root = parsed->root();
    if (!root.is(kind::object))
        return std::unexpected(base::error{errc::wrong_type, "must be a JSON object"});
    return object{std::move(*parsed), root, ""};
}

base::error object::complain(errc code, std::string_view name, std::string_view reason) const
{
    return {code, fmt::format("field \"{}{}\": {}", path_, name, reason)};
}

base::error object::refuse(std::string_view name, std::string_view reason) const
{
    return complain(errc::bad_value, name, reason);
}

const value* object::present(std::string_view name) const
{
    const value* found = find(name);
    return found == nullptr || found->is(kind::null) ? nullptr : found;
}

template <class T>
base::result<T> object::required(base::result<std::optional<T>> found, std::string_view name) const
{
    if (!found)
        return std::unexpected(std::move(found.error()));
    if (!*found)
        return std::unexpected(complain(errc::missing_field, name, "is required"));
    return std::move(**found);
}

base::result<> object::allow_only(std::initializer_list<std::string_view> names) const
{
    for (const auto& entry : members()) {
        if (std::ranges::find(names, entry.name) == names.end())
            return std::unexpected(
                complain(errc::unknown_field, base::first_chars(entry.name, 80), "is unknown"));
    }
    return {};
}

base::result<std::optional<std::string>> object::optional_string(std::string_view name) const
{
    const value* found = present(name);
    if (found == nullptr)
        return std::nullopt;
    if (const std::string* text = found->as_string())
        return *text;
    return std::unexpected(complain(errc::wrong_type, name, "must be a string"));
}

base::result<std::optional<std::int64_t>> object::optional_integer(
    std::string_view name, std::int64_t least, std::int64_t most) const
{
    const value* found = present(name);
    if (found == nullptr)
        return std::nullopt;
    const auto number = found->as_integer();
    if (!number)
        return std::unexpected(complain(errc::wrong_type, name, "must be a whole number"));
    if (*number < least || *number > most)
        return std::unexpected(
            complain(errc::bad_value, name, fmt::format("must be between {} and {}", least, most)));
    return number;
}

base::result<std::optional<double>> object::optional_number(
    std::string_view name, double least, double most) const
{
    const value* found = present(name);
    if (found == nullptr)
        return std::nullopt;
    const auto number = found->as_number();
    if (!number)
        return std::unexpected(complain(errc::wrong_type, name, "must be a number"));
    if (!(*number >= least && *number <= most) || !std::isfinite(*number))
        return std::unexpected(
            complain(errc::bad_value, name, fmt::format("must be between {} and {}", least, most)));
    return number;
}

base::result<std::optional<bool>> object::optional_boolean(std::string_view name) const
{
    const value* found = present(name);
    if (found == nullptr)
        return std::nullopt;
    const auto truth = found->as_boolean();
    if (!truth)
        return std::unexpected(complain(errc::wrong_type, name, "must be true or false"));
    return truth;
}

base::result<std::optional<object>> object::optional_child(std::string_view name) const
{
    const value* found = present(name);
    if (found == nullptr)
        return std::nullopt;
    if (!found->is(kind::object))
        return std::unexpected(complain(errc::wrong_type, name, "must be an object"));
    return object{owner_, *found, fmt::format("{}{}.", path_, name)};
}

base::result<std::optional<std::vector<std::string>>> object::optional_strings(
    std::string_view name) const
{
    const value* found = present(name);
    if (found == nullptr)
        return std::nullopt;
    std::vector<std::string> texts;
    for (const auto& item : found->items()) {
        if (const std::string* text = item.as_string())
            texts.push_back(*text);
    }
    if (!found->is(kind::array) || texts.size() != found->items().size())
        return std::unexpected(complain(errc::wrong_type, name, "must be an array of strings"));
    return texts;
}

base::result<std::optional<std::vector<std::pair<std::string, std::string>>>> object::
    optional_string_map(std::string_view name) const
{
    const value* found = present(name);
    if (found == nullptr)
        return std::nullopt;
    if (!found->is(kind::object))
        return std::unexpected(complain(errc::wrong_type, name, "must be an object"));
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto& entry : found->members()) {
        const std::string* text = entry.value.as_string();
        if (text == nullptr)
            return std::unexpected(complain(
                errc::wrong_type, fmt::format("{}.{}", name, entry.name), "must be a string"));
        pairs.emplace_back(entry.name, *text);
    }
    return pairs;
}

base::result<std::string> object::string(std::string_view name) const
{
    return required(optional_string(name), name);
}

base::result<std::int64_t> object::integer(
    std::string_view name, std::int64_t least, std::int64_t most) const
{
    return required(optional_integer(name, least, most), name);
}

base::result<bool> object::boolean(std::string_view name) const
{
    return required(optional_boolean(name), name);
}

base::result<object> object::child(std::string_view name) const
{
    return required(optional_child(name), name);
}

} // namespace agentd::proto::json
