// Reads the members of one JSON object of the API into values; for read.cpp. Pure; any thread.
#pragma once

#include "base/clock.hpp"
#include "base/error.hpp"
#include "proto/json/reader.hpp"

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace agentd::proto::api {

// Looks members up in one object and remembers the first that is not what it must be.
class members {
public:
    explicit members(const json::value& from) : from_(&from)
    {
        if (!from.is(json::kind::object))
            complain("", "not an object");
    }

    [[nodiscard]] std::string text(std::string_view name)
    {
        const json::value* found = present(name);
        if (found == nullptr)
            return {};
        const std::string* text = found->as_string();
        if (text == nullptr)
            complain(name, "must be a string");
        return text == nullptr ? std::string{} : *text;
    }
    [[nodiscard]] std::string required_text(std::string_view name)
    {
        if (present(name) == nullptr)
            complain(name, "is missing");
        return text(name);
    }
    [[nodiscard]] std::optional<std::string> maybe_text(std::string_view name)
    {
        if (present(name) == nullptr)
            return std::nullopt;
        return text(name);
    }
    template <class Int = std::int64_t>
    [[nodiscard]] std::optional<Int> maybe_integer(std::string_view name)
    {
        const json::value* found = present(name);
        if (found == nullptr)
            return std::nullopt;
        const auto number = found->as_integer();
        if (!number || !std::in_range<Int>(*number)) {
            complain(name, "must be a whole number");
            return std::nullopt;
        }
        return static_cast<Int>(*number);
    }
    template <class Int = std::int64_t>
    [[nodiscard]] Int integer(std::string_view name)
    {
        return maybe_integer<Int>(name).value_or(0);
    }
    [[nodiscard]] double number(std::string_view name)
    {
        const json::value* found = present(name);
        const auto number = found == nullptr ? std::optional{0.0} : found->as_number();
        if (!number)
            complain(name, "must be a number");
        return number.value_or(0);
    }
    [[nodiscard]] bool truth(std::string_view name)
    {
        const json::value* found = present(name);
        return found != nullptr && found->as_boolean().value_or(false);
    }
    [[nodiscard]] std::optional<base::wall_time> time(std::string_view name)
    {
        const json::value* found = present(name);
        if (found == nullptr)
            return std::nullopt;
        const std::string* text = found->as_string();
        const auto time = text == nullptr ? std::nullopt : base::from_rfc3339(*text);
        if (!time)
            complain(name, "must be a time");
        return time;
    }
    // One of an enum's names.
    template <class Enum>
    [[nodiscard]] Enum choice(std::string_view name, std::optional<Enum> (*from)(std::string_view))
    {
        const auto value = from(text(name));
        if (!value)
            complain(name, "has an unknown value");
        return value.value_or(Enum{});
    }
    [[nodiscard]] const json::value* child(std::string_view name) { return present(name); }

    template <class T>
    [[nodiscard]] base::result<T> give(T&& what)
    {
        if (wrong_)
            return std::unexpected(std::move(*wrong_));
        return std::forward<T>(what);
    }

private:
    const json::value* present(std::string_view name)
    {
        const json::value* found = from_->find(name);
        return found == nullptr || found->is(json::kind::null) ? nullptr : found;
    }
    void complain(std::string_view name, std::string_view reason)
    {
        if (!wrong_)
            wrong_ = base::error{json::errc::wrong_type,
                "field \"" + std::string{name} + "\": " + std::string{reason}};
    }

    const json::value* from_;
    std::optional<base::error> wrong_;
};

} // namespace agentd::proto::api
