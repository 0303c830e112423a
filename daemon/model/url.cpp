#include "model/url.hpp"

#include "base/text.hpp"
#include "model/error.hpp"

#include <fmt/format.h>
#include <strings.h>

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace agentd::model {
namespace {

base::error bad_url(std::string_view reason)
{
    // Never the URL itself: somebody may have put a password there.
    return {errc::bad_options, fmt::format("base_url {}", reason)};
}

bool is_literal(int family, const std::string& host)
{
    std::array<unsigned char, 16> address{};
    return ::inet_pton(family, host.c_str(), address.data()) == 1;
}

bool is_host_char(char c)
{
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool is_path_char(char c)
{
    return c > ' ' && c < '\x7f' && c != '"' && c != '<' && c != '>' && c != '\\';
}

} // namespace

std::string_view read_authority(std::string_view text, url& out)
{
    std::string_view port;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos)
            return "has a [ without ]";
        out.host = text.substr(1, end - 1);
        if (!is_literal(AF_INET6, out.host))
            return "has no IPv6 address in its brackets";
        out.is_ip = true;
        text.remove_prefix(end + 1);
        if (!text.empty() && !text.starts_with(':'))
            return "has something behind its host";
        port = text.empty() ? text : text.substr(1);
    } else {
        const auto colon = text.find(':');
        out.host = text.substr(0, colon);
        if (colon != std::string_view::npos)
            port = text.substr(colon + 1);
        if (out.host.empty() || !std::ranges::all_of(out.host, is_host_char))
            return "has no valid host";
        out.is_ip = is_literal(AF_INET, out.host);
    }
    if (port.empty())
        return "";
    const auto [stopped, failed] =
        std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (failed != std::errc{} || stopped != port.data() + port.size() || out.port == 0)
        return "has no valid port";
    return "";
}

std::string url::authority() const
{
    const bool own_port = port == (tls ? 443 : 80);
    const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
    return own_port ? name : fmt::format("{}:{}", name, port);
}

std::string url::join(std::string_view below) const
{
    return path + std::string{below};
}

bool url::is_loopback() const
{
    constexpr std::string_view here = "localhost";
    if (!is_ip)
        return host.size() == here.size() &&
            ::strncasecmp(host.c_str(), here.data(), here.size()) == 0;
    in6_addr v6{};
    if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return host.starts_with("127.");
}

base::result<url> parse_base_url(std::string_view text, bool allow_plain_http)
{
    constexpr std::string_view https = "https://", http = "http://";
    text = base::strip(text);
    url out;
    if (text.starts_with(https)) {
        text.remove_prefix(https.size());
    } else if (text.starts_with(http)) {
        text.remove_prefix(http.size());
        out.tls = false;
        out.port = 80;
    } else {
        return std::unexpected(bad_url("must begin with https:// (or http:// for this machine)"));
    }
    const auto slash = std::min(text.find('/'), text.size());
    const std::string_view authority = text.substr(0, slash);
    std::string_view path = text.substr(slash);
    if (text.find_first_of("?#") != std::string_view::npos)
        return std::unexpected(bad_url("must have no query and no fragment"));
    if (authority.find('@') != std::string_view::npos)
        return std::unexpected(bad_url("must not hold a user or a password"));
    if (const auto wrong = read_authority(authority, out); !wrong.empty())
        return std::unexpected(bad_url(wrong));
    if (!std::ranges::all_of(path, is_path_char))
        return std::unexpected(bad_url("has characters in its path that no URL has"));
    while (path.ends_with('/'))
        path.remove_suffix(1);
    out.path = path;
    if (!out.tls && !out.is_loopback() && !allow_plain_http)
        return std::unexpected(bad_url("must be https: plain http is for this machine only"));
    return out;
}

} // namespace agentd::model
