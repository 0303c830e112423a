// See request_reader.hpp. Beast's parser is fed by hand, so that the head of a request can
// be judged before its body is read, and its composed operations are not compiled.
#include "request_reader.hpp"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <utility>

namespace agentd::testing {

namespace http = boost::beast::http;

namespace {

constexpr std::uint32_t longest_head = 64U << 10U;
constexpr std::size_t read_size = 64U << 10U;

using parser_type = http::request_parser<http::string_body>;

std::string lower(std::string_view name)
{
    std::string out{name};
    std::ranges::transform(out, out.begin(),
        [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

http_request taken_from(parser_type& parser)
{
    auto& message = parser.get();
    http_request out;
    out.method = std::string_view{message.method_string().data(), message.method_string().size()};
    std::string_view target{message.target().data(), message.target().size()};
    auto mark = target.find('?');
    out.path = target.substr(0, mark);
    if (mark != std::string_view::npos)
        out.query = target.substr(mark + 1);
    for (const auto& field : message)
        out.headers.emplace_back(lower({field.name_string().data(), field.name_string().size()}),
            std::string{field.value().data(), field.value().size()});
    out.keep_alive = message.keep_alive();
    out.body = std::make_shared<const std::string>(std::move(message.body()));
    out.received = std::chrono::steady_clock::now();
    return out;
}

} // namespace

asio::awaitable<bool> request_reader::more()
{
    auto had = unread_.size();
    unread_.resize(had + read_size);
    auto size = co_await from_.read_some(asio::buffer(unread_.data() + had, read_size));
    unread_.resize(had + size);
    co_return size > 0;
}

asio::awaitable<incoming> request_reader::next()
{
    incoming out;
    if (idle_.count() > 0 && unread_.empty()) {
        asio::steady_timer timer{from_.socket().get_executor(), idle_};
        auto readable = co_await from_.readable_before(timer);
        if (!readable)
            co_return out;
    }
    parser_type parser;
    parser.header_limit(longest_head);
    parser.body_limit(boost::none);
    while (!parser.is_done()) {
        boost::system::error_code error;
        auto used = unread_.empty() ? 0 : parser.put(asio::buffer(unread_), error);
        unread_.erase(0, used);
        bool headless = !parser.is_header_done();
        if (error && error != http::error::need_more) {
            out.is = incoming::kind::malformed;
            co_return out;
        }
        auto length = headless ? boost::none : parser.content_length();
        if (!headless &&
            (length.value_or(0) > most_body_ || parser.get().body().size() > most_body_)) {
            out.is = incoming::kind::too_large;
            out.request = taken_from(parser);
            co_return out;
        }
        parser.eager(!headless);
        if (parser.is_done() || (used > 0 && !unread_.empty() && !error))
            continue;
        auto came = co_await more();
        if (!came)
            co_return out;
    }
    out.is = incoming::kind::request;
    out.request = taken_from(parser);
    co_return out;
}

} // namespace agentd::testing
