#include "proto/json/reader.hpp"
#include "proto/json/writer.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace agentd::proto;

TEST_CASE("json writer: strings are escaped where they must be and nowhere else")
{
    CHECK(json::quoted("plain h\u00e9 \U0001F600 /") == "\"plain h\u00e9 \U0001F600 /\"");
    CHECK(json::quoted("a\"b\\c\n\r\t\b\f\x01\x1f\x7f") ==
        "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\"");
    CHECK(json::quoted(std::string_view("\0", 1)) == "\"\\u0000\"");
    CHECK(json::quoted("") == "\"\"");
}

TEST_CASE("json writer: what is no UTF-8 becomes U+FFFD, so that the result is JSON")
{
    CHECK(json::quoted("a\x80z") == "\"a\uFFFDz\"");
    CHECK(json::quoted("\xE2\x82") == "\"\uFFFD\uFFFD\"");
    CHECK(json::quoted("\xED\xA0\x80x\U0001F600") == "\"\uFFFD\uFFFD\uFFFDx\U0001F600\"");
}

TEST_CASE("json writer: objects and arrays nest, commas and ends come by themselves")
{
    std::string out;
    {
        json::object_writer o{out};
        o.member("s", "x").member("i", -5).member("u", std::size_t{7}).member("b", true);
        o.member("d", 0.5)
            .member("none", std::optional<int>{})
            .member("some", std::optional<int>{3});
        o.member_if("left_out", std::optional<std::string>{}).null("z").raw("r", "[1]");
        {
            auto list = o.array("l");
            list.item("a").item(1);
            list.object().member("k", "v");
            auto inner = list.array();
        }
        auto sub = o.object("sub");
    }
    CHECK(out ==
        R"({"s":"x","i":-5,"u":7,"b":true,"d":0.5,"none":null,"some":3,"z":null,"r":[1],)"
        R"("l":["a",1,{"k":"v"},[]],"sub":{}})");
    CHECK(json::parse_object(out).has_value());
}

TEST_CASE("json writer: numbers that JSON cannot say are null")
{
    std::string out;
    json::array_writer{out}
        .item(std::numeric_limits<double>::infinity())
        .item(std::numeric_limits<double>::quiet_NaN())
        .item(1e300)
        .item(0.1);
    CHECK(out == "[null,null,1e+300,0.1]");
}
