#include "app/model_settings.hpp"

#include <sstream>
#include <string>
#include <vector>

namespace agentd::app {
namespace {

// The file's, else the environment's for requests of that scheme.
std::string proxy_for_model(const config& all)
{
    if (!all.model.proxy.empty())
        return all.model.proxy;
    const auto& own =
        all.model.base_url.starts_with("https:") ? all.proxies.https : all.proxies.http;
    return own.empty() ? all.proxies.all : own;
}

std::vector<std::string> hosts_without_proxy(const config& all)
{
    if (!all.model.no_proxy.empty())
        return all.model.no_proxy;
    std::vector<std::string> out;
    std::istringstream list{all.proxies.none};
    for (std::string host; std::getline(list, host, ',');)
        out.push_back(host);
    return out;
}

model::deadlines model_deadlines(const config& all)
{
    const auto& m = all.model;
    return {.connect = m.connect_timeout,
        .handshake = m.tls_timeout,
        .send = m.send_timeout,
        .first_byte = m.first_byte_timeout,
        .idle = m.idle_timeout,
        .total = m.total_timeout,
        .pooled = m.keep_connections};
}

} // namespace

model::options model_options(const config& all, const base::result<credential>& found)
{
    using kind = model::credential::kind;
    model::options out;
    out.base_url = all.model.base_url;
    // apply_environment() has seen to it that only a file can name plain http elsewhere.
    out.allow_plain_http = true;
    out.ca_file = all.model.ca_file;
    out.proxy = proxy_for_model(all);
    out.no_proxy = hosts_without_proxy(all);
    out.limits = model_deadlines(all);
    if (found) {
        out.key.is = found->is == credential::kind::bearer ? kind::bearer : kind::api_key;
        out.key.value = found->value;
    }
    out.version = all.model.version;
    out.max_tokens = all.model.max_tokens;
    out.fallback = all.model.fallback;
    out.retry_for = all.model.retry_for;
    // Ours counts what comes after the first attempt, theirs all; none is 0.
    out.retry_attempts = all.model.retry_attempts + 1;
    return out;
}

} // namespace agentd::app
