#include "proto/sse/parser.hpp"

#include <doctest/doctest.h>

using namespace agentd::proto;

namespace {

using events = std::vector<std::pair<std::string, std::string>>;

// All events of `bytes` fed in pieces of `step` bytes.
events parse(std::string_view bytes, std::size_t step)
{
    sse::parser parser;
    std::vector<sse::event> out;
    for (std::size_t at = 0; at < bytes.size(); at += step)
        REQUIRE(parser.feed(bytes.substr(at, step), out).has_value());
    events pairs;
    for (const auto& e : out)
        pairs.emplace_back(e.name, e.data);
    return pairs;
}

struct row {
    std::string_view what;
    std::string_view bytes;
    events expected;
};

const row table[] = {
    {"an event", "event: a\ndata: {\"x\":1}\n\n", {{"a", "{\"x\":1}"}}},
    {"case 3 crlf: CRLF line ends", "event: a\r\ndata: 1\r\n\r\nevent: b\r\ndata: 2\r\n\r\n",
        {{"a", "1"}, {"b", "2"}}},
    {"case 4 cr_only: lone CR", "event: a\rdata: 1\r\revent: b\rdata: 2\r\r",
        {{"a", "1"}, {"b", "2"}}},
    {"mixed line ends", "event: a\rdata: 1\n\r\nevent: b\r\ndata: 2\n\n", {{"a", "1"}, {"b", "2"}}},
    {"CR then LF CR LF is one end and a blank line", "data: 1\r\n\r\ndata: 2\n\r",
        {{"", "1"}, {"", "2"}}},
    {"case 5 bom_comments_id_retry", "\xEF\xBB\xBFid: 7\n: hi\nretry: 10\nevent:a\ndata:1\n\n",
        {{"a", "1"}}},
    {"a byte order mark before the name",
        "\xEF\xBB\xBF"
        "event: a\ndata: 1\n\n",
        {{"a", "1"}}},
    {"a byte order mark later is data", "data: \xEF\xBB\xBF\n\n", {{"", "\xEF\xBB\xBF"}}},
    {"only one space is removed", "data:  x \n\n", {{"", " x "}}},
    {"case 6 multiline_data: joined by LF", "data: {\"a\":\ndata: 1}\n\n", {{"", "{\"a\":\n1}"}}},
    {"an empty data line counts", "data:\ndata\ndata: x\n\n", {{"", "\n\nx"}}},
    {"data alone, empty, is an event", "data\n\n", {{"", ""}}},
    {"an event without data is none and leaves no name", "event: a\n\ndata: 1\n\n", {{"", "1"}}},
    {"case 13 eof_without_blank: not dispatched", "data: 1\n\ndata: 2\n", {{"", "1"}}},
    {"unknown fields are skipped", "foo: bar\nbaz\ndata: 1\n\n", {{"", "1"}}},
    {"the last name wins", "event: a\nevent: b\ndata: 1\n\n", {{"b", "1"}}},
    {"colons in a value stay", "data: a:b: c\n\n", {{"", "a:b: c"}}},
    {"comments and blank lines alone", ": ping\n\n\n\n:\n\n", {}},
    {"code points of 2, 3 and 4 bytes", "data: \u00e9\u20ac\U0001F600\n\n",
        {{"", "\u00e9\u20ac\U0001F600"}}},
};

} // namespace

TEST_CASE("sse parser: the table holds however the bytes are cut (case 2 bytewise)")
{
    for (const auto& r : table) {
        for (std::size_t step = 1; step <= r.bytes.size(); ++step)
            CHECK_MESSAGE(parse(r.bytes, step) == r.expected, std::string{r.what}, " by ", step);
    }
}

TEST_CASE("sse parser: an event comes out with the byte that completes it")
{
    sse::parser parser;
    std::vector<sse::event> out;
    REQUIRE(parser.feed("data: 1\r\n\r", out).has_value());
    CHECK(out.size() == 1);
    REQUIRE(parser.feed("\ndata: 2\n\n", out).has_value());
    CHECK(out.size() == 2);
}

TEST_CASE("sse parser: a line and an event are bounded")
{
    std::vector<sse::event> out;
    sse::parser one_line{100};
    CHECK(one_line.feed("data: " + std::string(200, 'x'), out).error().is(sse::errc::too_large));
    sse::parser in_pieces{100};
    bool refused = false;
    for (int i = 0; i < 200 && !refused; ++i)
        refused = !in_pieces.feed(": ", out).has_value();
    CHECK(refused);
    sse::parser many_lines{100};
    refused = false;
    for (int i = 0; i < 200 && !refused; ++i)
        refused = !many_lines.feed("data: x\n", out).has_value();
    CHECK(refused);
    sse::parser many_events{100};
    for (int i = 0; i < 200; ++i)
        CHECK(many_events.feed("event: a\ndata: xxxxxxxxxx\n\n", out).has_value());
}
