// See http_request.hpp. Pure; any thread.
#include "http_request.hpp"

#include <charconv>

namespace agentd::testing {

std::vector<std::string_view> header_values(const header_list& headers, std::string_view name)
{
    std::vector<std::string_view> found;
    for (const auto& [key, value] : headers)
        if (key == name)
            found.emplace_back(value);
    return found;
}

std::optional<std::string_view> header(const header_list& headers, std::string_view name)
{
    auto all = header_values(headers, name);
    if (all.empty())
        return std::nullopt;
    return all.front();
}

std::string percent_decoded(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned value = 0;
        if (text[i] == '%' && i + 2 < text.size()) {
            const char* digits = text.data() + i + 1;
            auto [end, error] = std::from_chars(digits, digits + 2, value, 16);
            if (error == std::errc{} && end == digits + 2) {
                out.push_back(static_cast<char>(value));
                i += 2;
                continue;
            }
        }
        out.push_back(text[i]);
    }
    return out;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name)
{
    while (!query.empty()) {
        auto end = query.find('&');
        auto pair = query.substr(0, end);
        query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
        auto equals = pair.find('=');
        if (pair.substr(0, equals) == name)
            return percent_decoded(
                equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1));
    }
    return std::nullopt;
}

std::uint64_t query_number(std::string_view query, std::string_view name, std::uint64_t otherwise)
{
    auto text = query_value(query, name);
    std::uint64_t value = 0;
    if (!text)
        return otherwise;
    auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size())
        return otherwise;
    return value;
}

} // namespace agentd::testing
