// Errors as values: what a function answers when something expected went wrong.
// Each layer has one enum `errc` of its conditions, made a std::error_code by
// AGENTD_ERROR_ENUM; an error adds a text for people ("cannot start job: ...").
// Any thread.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace agentd::base {

// A condition to branch on (code) and a sentence to show (text). Cheap to move.
struct error {
    error(std::error_code c, std::string t) : code(c), text(std::move(t)) {}

    template <class Errc>
    [[nodiscard]] bool is(Errc condition) const
    {
        return code == condition;
    }

    std::error_code code;
    std::string text;
};

// The answer of everything that can fail in an expected way; never dropped unread.
template <class T = void>
using result = std::expected<T, error>;

// "cannot WHAT: REASON" for a failed system call; `number` is an errno value.
[[nodiscard]] error system_error(std::string_view what, int number);

// The category behind a layer's errc: its name, and a text for each value.
template <class Errc>
class enum_category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return error_category_name(Errc{}); }
    [[nodiscard]] std::string message(int value) const override
    {
        return std::string{error_text(static_cast<Errc>(value))};
    }
};

template <class Errc>
[[nodiscard]] std::error_code enum_error_code(Errc value)
{
    static const enum_category<Errc> category;
    return {static_cast<int>(value), category};
}

} // namespace agentd::base

// Makes `enum class errc` of namespace NS a std::error_code. The namespace has to offer
// `std::string_view error_text(errc)`; values start at 1.
#define AGENTD_ERROR_ENUM(NS)                                                                      \
    namespace NS {                                                                                 \
    inline const char* error_category_name(errc)                                                   \
    {                                                                                              \
        return #NS;                                                                                \
    }                                                                                              \
    inline std::error_code make_error_code(errc value)                                             \
    {                                                                                              \
        return ::agentd::base::enum_error_code(value);                                             \
    }                                                                                              \
    }                                                                                              \
    template <>                                                                                    \
    struct std::is_error_code_enum<NS::errc> : std::true_type {};
