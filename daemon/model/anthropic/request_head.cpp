#include "model/anthropic/request_head.hpp"

#include <fmt/format.h>

namespace agentd::model::anthropic {

std::string request_head(const url& to, const options& configured, std::size_t body_bytes)
{
    const bool is_key = configured.key.is == credential::kind::api_key;
    return fmt::format("POST {} HTTP/1.1\r\n"
                       "host: {}\r\n"
                       "accept: application/json\r\n"
                       "accept-encoding: identity\r\n" // nothing here inflates
                       "user-agent: agentd/" AGENTD_VERSION "\r\n"
                       "{}{}\r\n"
                       "anthropic-version: {}\r\n"
                       "content-type: application/json\r\n"
                       "content-length: {}\r\n\r\n",
        to.join("/v1/messages"), to.authority(), is_key ? "x-api-key: " : "authorization: Bearer ",
        configured.key.value, configured.version, body_bytes);
}

} // namespace agentd::model::anthropic
