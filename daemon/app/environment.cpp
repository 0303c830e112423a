#include "app/environment.hpp"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

namespace agentd::app {

environment process_environment()
{
    return [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        if (value == nullptr || *value == '\0')
            return std::nullopt;
        return std::string{value};
    };
}

void scrub_environment()
{
    constexpr std::string_view prefix = "ANTHROPIC_";
    std::vector<std::string> names;
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text{*entry};
        const auto sign = text.find('=');
        if (!text.starts_with(prefix) || sign == std::string_view::npos)
            continue;
        names.emplace_back(text.substr(0, sign));
        ::explicit_bzero(*entry + sign + 1, text.size() - sign - 1);
    }
    for (const auto& name : names)
        ::unsetenv(name.c_str());
}

} // namespace agentd::app
