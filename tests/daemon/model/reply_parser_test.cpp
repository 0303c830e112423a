// The bytes of HTTP replies without a connection.
#include "model/reply_parser.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

using namespace agentd;

namespace {

struct heard final : model::reply_taker {
    void on_head(const model::reply_head& head) override { fields = head.fields; }
    bool on_body(std::string_view piece) override
    {
        body += piece;
        return true;
    }
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;
};

void feed(model::reply_parser& parser, heard& into, std::string_view bytes, std::size_t piece)
{
    while (!bytes.empty()) {
        const auto room = parser.room();
        const auto count = std::min({room.size(), bytes.size(), piece});
        std::memcpy(room.data(), bytes.data(), count);
        REQUIRE(parser.take(count, into).has_value());
        bytes.remove_prefix(count);
    }
}

} // namespace

TEST_CASE("reply_parser: trailers are no part of the head, even when all comes in one read")
{
    constexpr std::string_view reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       "5;x=y\r\nhello\r\n0\r\ncontent-encoding: gzip\r\n\r\n";
    for (const std::size_t piece : {reply.size(), std::size_t{1}}) {
        model::reply_parser parser;
        heard into;
        feed(parser, into, reply, piece);
        CHECK(parser.is_whole());
        CHECK(into.body == "hello");
        REQUIRE(into.fields.size() == 1);
        CHECK(into.fields[0].first == "transfer-encoding");
    }
}

TEST_CASE("reply_parser: a reply without a body is whole with its head")
{
    for (const std::string_view reply :
        {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"}) {
        model::reply_parser parser;
        heard into;
        feed(parser, into, reply, reply.size());
        CHECK(parser.is_whole());
        CHECK(parser.leaves_reusable());
    }
}

TEST_CASE("reply_parser: an empty chunked body may come byte by byte")
{
    constexpr std::string_view reply =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, reply.size()}) {
        model::reply_parser parser;
        heard into;
        feed(parser, into, reply, piece);
        CHECK(parser.is_whole());
        CHECK(parser.leaves_reusable());
    }
}
