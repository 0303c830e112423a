#include "model/anthropic/request_head.hpp"

#include <fmt/format.h>

namespace agentd::model::anthropic {

std::string request_head(const url& to, const options& configured, const request_line& what)
{
    const bool is_key = configured.key.is == credential::kind::api_key;
    std::string head = fmt::format("{} {}{} HTTP/1.1\r\n"
                                   "host: {}\r\n"
                                   "accept: application/json\r\n"
                                   "accept-encoding: identity\r\n" // nothing here inflates
                                   "user-agent: agentd/" AGENTD_VERSION "\r\n"
                                   "{}"
                                   "{}{}\r\n"
                                   "anthropic-version: {}\r\n",
        what.method, configured.forwarded.before_path, to.join(what.path), to.authority(),
        configured.forwarded.fields, is_key ? "x-api-key: " : "authorization: Bearer ",
        configured.key.value, configured.version);
    if (what.body_bytes)
        head += fmt::format(
            "content-type: application/json\r\ncontent-length: {}\r\n", *what.body_bytes);
    head += "\r\n";
    return head;
}

} // namespace agentd::model::anthropic
