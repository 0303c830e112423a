#include "base/error.hpp"

namespace agentd::base {

error system_error(std::string_view what, int number)
{
    const std::error_code code{number, std::system_category()};
    std::string text{"cannot "};
    text.append(what).append(": ").append(code.message());
    return {code, std::move(text)};
}

} // namespace agentd::base
