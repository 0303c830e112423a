#include "api/response.hpp"

#include <fmt/format.h>

#include <iterator>

namespace agentd::api {
namespace {

std::string_view reason(int status)
{
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 413: return "Content Too Large";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
    }
}

} // namespace

std::string head_text(int status, const std::string& content_type,
    std::optional<std::size_t> length, const head_fields& fields)
{
    std::string out = fmt::format("HTTP/1.1 {} {}\r\n", status, reason(status));
    if (!content_type.empty())
        fmt::format_to(std::back_inserter(out), "Content-Type: {}\r\n", content_type);
    if (length)
        fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", *length);
    for (const auto& [name, value] : fields)
        fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
    out += "\r\n";
    return out;
}

aio::awaitable<base::result<>> body_stream::begin(
    int status, std::string content_type, head_fields fields)
{
    *begun_ = true;
    if (chunks_)
        fields.emplace_back("Transfer-Encoding", "chunked");
    const std::string head = head_text(status, content_type, std::nullopt, fields);
    co_return co_await to_->write(head);
}

aio::awaitable<base::result<>> body_stream::write(std::string bytes)
{
    if (bytes.empty())
        co_return base::result<>{};
    if (chunks_) {
        bytes.insert(0, fmt::format("{:x}\r\n", bytes.size()));
        bytes += "\r\n";
    }
    co_return co_await to_->write(bytes);
}

aio::awaitable<base::result<>> body_stream::end()
{
    if (!chunks_)
        co_return base::result<>{};
    constexpr std::string_view last_chunk{"0\r\n\r\n"};
    co_return co_await to_->write(last_chunk);
}

} // namespace agentd::api
