#include "model/redact.hpp"

namespace agentd::model {

void redact(std::string& text, std::string_view secret)
{
    constexpr std::string_view instead = "[credential]";
    if (secret.empty())
        return;
    // On from behind what was put in: it may hold the secret itself.
    for (auto at = text.find(secret); at != std::string::npos;
        at = text.find(secret, at + instead.size()))
        text.replace(at, secret.size(), instead);
}

void redact(std::string& text, const std::vector<std::string>& secrets)
{
    for (const auto& secret : secrets)
        redact(text, secret);
}

} // namespace agentd::model
