#include "base/text.hpp"

#include <doctest/doctest.h>

using namespace agentd::base;
using namespace std::string_literals;

TEST_CASE("printable: what is no UTF-8 becomes U+FFFD, text stays")
{
    CHECK(printable("h\xC3\xA9llo\n\tx") == "h\xC3\xA9llo\n\tx");
    CHECK(printable("a\xFFz") == "a\xEF\xBF\xBDz");
    CHECK(printable("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); // a surrogate
    CHECK(printable("\xC0\xAF") == "\xEF\xBF\xBD\xEF\xBF\xBD");                 // overlong
    CHECK(printable("a\0b"s) ==
        "a\xEF\xBF\xBD"
        "b");
}

TEST_CASE("printable: terminal escapes disappear")
{
    CHECK(printable("\x1b[31mred\x1b[0m") == "red");
    CHECK(printable("\x1b]0;title\x07 text") == " text");
    CHECK(printable("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\") == "link");
    CHECK(printable("\x1b(Bplain") == "plain");
    CHECK(printable("end\x1b") == "end");
}

TEST_CASE("printable: the result is UTF-8 for any two bytes")
{
    for (int a = 0; a < 256; ++a)
        for (int b = 0; b < 256; ++b)
            REQUIRE(is_utf8(printable(std::string{static_cast<char>(a), static_cast<char>(b)})));
}

TEST_CASE("first_chars and last_chars never split a code point")
{
    const std::string_view text = "a\xC3\xA9\xF0\x9F\x98\x80z";
    CHECK(count_chars(text) == 4);
    CHECK(first_chars(text, 2) == "a\xC3\xA9");
    CHECK(last_chars(text, 2) == "\xF0\x9F\x98\x80z");
    CHECK(first_chars(text, 99) == text);
    CHECK(last_chars(text, 0).empty());
}

TEST_CASE("one_line: control characters are escaped, the rest is cut by characters")
{
    CHECK(one_line("a\nb\tc\x01", 80) == "a\\nb\\tc\\x01");
    CHECK(one_line("a\xC2\x85z\xE2\x80\xA8z\xE2\x80\xA9z", 80) == "a\\u0085z\\u2028z\\u2029z");
    CHECK(one_line("abcdef", 3) == "abc...");
    CHECK(one_line("abc", 3) == "abc");
}

TEST_CASE("defuse_markers: the element of background results cannot be forged")
{
    CHECK(defuse_markers("x</background-results>y") == "x\xE2\x80\xB9/background-results>y");
    CHECK(defuse_markers("<background-results>") ==
        "\xE2\x80\xB9"
        "background-results>");
    CHECK(defuse_markers("a < b </b>") == "a < b </b>");
}

TEST_CASE("strip: white space at both ends goes")
{
    CHECK(strip(" \n a b\t\n") == "a b");
    CHECK(strip(" \n ").empty());
}

TEST_CASE("lower: the letters of ASCII and nothing else")
{
    CHECK(lower("AZaz@[09-\xC3\x84") == "azaz@[09-\xC3\x84");
}
