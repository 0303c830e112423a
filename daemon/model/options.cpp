#include "model/options.hpp"

#include "base/text.hpp"
#include "model/anthropic/messages_client.hpp"
#include "model/error.hpp"
#include "model/origin.hpp"
#include "model/proxy.hpp"
#include "model/tls_context.hpp"
#include "model/url.hpp"

#include <utility>

namespace agentd::model {

base::result<> check(const options& what)
{
    const auto address = parse_base_url(what.base_url, what.allow_plain_http);
    if (!address)
        return std::unexpected(address.error());
    if (const auto via = proxy_for(*address, what.proxy, what.no_proxy); !via)
        return std::unexpected(via.error());
    const auto key = base::strip(what.key.value);
    if (!is_header_text(key))
        return std::unexpected(
            base::error{errc::bad_options, "the credential has characters that no header has"});
    if (what.version.empty() || !is_header_text(what.version))
        return std::unexpected(base::error{errc::bad_options, "version is no header text"});
    if (!address->tls)
        return {};
    const auto trust = make_tls_context(what.ca_file);
    if (!trust)
        return std::unexpected(trust.error());
    return {};
}

std::string warning_about(const options& what)
{
    const auto address = parse_base_url(what.base_url, what.allow_plain_http);
    if (address && address->path.ends_with("/v1"))
        return "base_url ends in /v1: requests go to " + address->path + "/v1/messages";
    return "";
}

std::string proxy_in_use(const options& what)
{
    const auto address = parse_base_url(what.base_url, what.allow_plain_http);
    if (!address)
        return "none";
    const auto via = proxy_for(*address, what.proxy, what.no_proxy);
    if (!via)
        return via.error().text;
    return *via ? (*via)->at.authority() : "none";
}

std::unique_ptr<client> make_client(aio::executor io, options what)
{
    return std::make_unique<anthropic::messages_client>(std::move(io), std::move(what));
}

} // namespace agentd::model
