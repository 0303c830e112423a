#include "model/proxy.hpp"

#include "base/text.hpp"
#include "model/error.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>

namespace agentd::model {
namespace {

constexpr std::string_view none = "none";

base::error bad_proxy(std::string_view reason)
{
    return {errc::bad_options, std::string{reason}};
}

std::optional<std::string> percent_decoded(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        unsigned value = 0;
        const auto digits = text.substr(i + 1, 2);
        const auto [stopped, failed] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (digits.size() != 2 || failed != std::errc{} || stopped != digits.data() + 2)
            return std::nullopt;
        out += static_cast<char>(value);
        i += 2;
    }
    return out;
}

std::string base64(const std::string& bytes)
{
    std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0'); // and its NUL
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

// The part before the last @: a password may hold one.
std::string_view userinfo_of(std::string_view authority)
{
    const auto at = authority.rfind('@');
    return at == std::string_view::npos ? std::string_view{} : authority.substr(0, at);
}

base::result<> read_credentials(std::string_view userinfo, proxy& out)
{
    if (userinfo.empty() || userinfo == ":")
        return {};
    const auto colon = std::min(userinfo.find(':'), userinfo.size());
    const auto password_as_given =
        colon == userinfo.size() ? std::string_view{} : userinfo.substr(colon + 1);
    const auto user_as_given = userinfo.substr(0, colon);
    const auto user = percent_decoded(user_as_given);
    const auto password = percent_decoded(password_as_given);
    if (!user || !password)
        return std::unexpected(bad_proxy("has a % in its user or password that begins no %XX "
                                         "(a % itself is %25)"));
    const auto encoded = base64(*user + ":" + *password);
    out.authorization = "Basic " + encoded;
    if (password->empty()) // then the user is what lets in: a token
        out.secrets = {encoded, *user, std::string{user_as_given}};
    else
        out.secrets = {encoded, *password, std::string{password_as_given}};
    return {};
}

std::string_view authority_in(std::string_view text)
{
    if (const auto scheme = text.find("://"); scheme != std::string_view::npos)
        text.remove_prefix(scheme + 3);
    return text.substr(0, text.find_first_of("/?#"));
}

// "" or what is wrong with it.
std::string_view refused_scheme(std::string_view text)
{
    const auto end = text.find("://");
    if (end == std::string_view::npos)
        return "";
    const auto scheme = base::lower(text.substr(0, end));
    if (scheme == "http")
        return "";
    if (scheme.starts_with("socks"))
        return "must be an http:// proxy that takes CONNECT: SOCKS is not supported";
    if (scheme == "https")
        return "must begin with http://: a proxy that is itself spoken to over TLS is not "
               "supported";
    return "must begin with http://";
}

bool matches(const url& to, std::string_view entry)
{
    entry = base::strip(entry);
    if (entry == "*")
        return true;
    const bool bare_v6 = std::ranges::count(entry, ':') > 1 && !entry.starts_with('[');
    url named;
    named.port = 0;
    if (bare_v6)
        named.host = entry;
    else if (entry.empty() || !read_authority(entry, named).empty())
        return false;
    if (named.port != 0 && named.port != to.port)
        return false;
    auto name = base::lower(named.host), host = base::lower(to.host);
    if (to.is_ip || named.is_ip || bare_v6)
        return name == host;
    if (host.ends_with('.'))
        host.pop_back();
    if (name.starts_with('.')) // ".example.com" is written for "example.com"
        name.erase(0, 1);
    if (host == name)
        return true;
    return name != "localhost" && !name.empty() && host.ends_with("." + name);
}

} // namespace

base::result<proxy> parse_proxy(std::string_view text)
{
    text = base::strip(text);
    if (const auto wrong = refused_scheme(text); !wrong.empty())
        return std::unexpected(bad_proxy(wrong));
    const auto authority = authority_in(text);
    const auto behind =
        text.substr(static_cast<std::size_t>(authority.data() - text.data()) + authority.size());
    if (!behind.empty() && behind != "/")
        return std::unexpected(bad_proxy("must have no path, query or fragment "
                                         "(a / in a password is %2F)"));
    const auto userinfo = userinfo_of(authority);
    auto place = authority;
    if (const auto at = authority.rfind('@'); at != std::string_view::npos)
        place.remove_prefix(at + 1);
    proxy out;
    out.at.tls = false;
    out.at.port = 80;
    if (const auto wrong = read_authority(place, out.at); !wrong.empty())
        return std::unexpected(bad_proxy(wrong));
    if (auto read = read_credentials(userinfo, out); !read)
        return std::unexpected(std::move(read.error()));
    return out;
}

bool is_reached_directly(const url& to, const std::vector<std::string>& no_proxy)
{
    return to.is_loopback() ||
        std::ranges::any_of(no_proxy, [&to](const auto& entry) { return matches(to, entry); });
}

base::result<std::optional<proxy>> proxy_for(
    const url& to, const std::string& configured, const std::vector<std::string>& no_proxy)
{
    const auto value = base::strip(configured);
    if (value.empty() || value == none || is_reached_directly(to, no_proxy))
        return std::optional<proxy>{};
    auto read = parse_proxy(value);
    if (!read)
        return std::unexpected(base::error{errc::bad_options,
            fmt::format("the proxy (model.proxy, or the environment's) {}", read.error().text)});
    return std::optional{std::move(*read)};
}

forwarding forwarding_by(const proxy& via, const url& to)
{
    forwarding out;
    out.before_path = "http://" + to.authority();
    out.secrets = via.secrets;
    if (!via.authorization.empty())
        out.fields = fmt::format("proxy-authorization: {}\r\n", via.authorization);
    return out;
}

std::string without_credentials(std::string_view text)
{
    std::string out{text};
    const auto scheme = text.find("://");
    const auto begin = scheme == std::string_view::npos ? 0 : scheme + 3;
    // Up to the last @ of all: what is no URL may have the password anywhere before it.
    const auto at = text.rfind('@');
    if (at != std::string_view::npos && at >= begin)
        out.replace(begin, at - begin, "***");
    return out;
}

} // namespace agentd::model
