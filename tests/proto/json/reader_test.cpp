#include "base/text.hpp"
#include "proto/json/reader.hpp"

#include <doctest/doctest.h>

using namespace agentd::proto;
using json::kind;

namespace {

std::string complaint(std::string_view bytes)
{
    const auto parsed = json::parse(bytes);
    return parsed ? std::string{} : parsed.error().text;
}

json::object object(std::string_view bytes)
{
    auto parsed = json::parse_object(bytes);
    REQUIRE_MESSAGE(parsed.has_value(), bytes);
    return *parsed;
}

} // namespace

TEST_CASE(
    "json reader: values come with their kind, their value and the bytes they were written with")
{
    const auto o = object(R"( {"s":"h\u00e9\n", "n" : 1.0 ,"big":12345678901234567890123, "t":true,
        "z":null,"a":[ 1, "x", [] ] ,"o":{ "k" : {} } } )");
    CHECK(o.members().size() == 7);
    CHECK(*o.find("s")->as_string() == "h\u00e9\n");
    CHECK(o.find("s")->raw() == R"("h\u00e9\n")");
    CHECK(o.find("n")->raw() == "1.0");
    CHECK(o.find("n")->as_number() == 1.0);
    CHECK_FALSE(o.find("n")->as_integer());
    CHECK(o.find("big")->raw() == "12345678901234567890123");
    CHECK_FALSE(o.find("big")->as_integer());
    CHECK(o.find("t")->as_boolean() == true);
    CHECK(o.find("z")->is(kind::null));
    CHECK(o.find("a")->raw() == R"([ 1, "x", [] ])");
    CHECK(o.find("a")->items().size() == 3);
    CHECK(o.find("a")->items()[0].as_integer() == 1);
    CHECK(o.find("a")->items()[2].raw() == "[]");
    CHECK(o.find("o")->raw() == R"({ "k" : {} })");
    CHECK(o.find("o")->find("k")->raw() == "{}");
    CHECK(o.find("absent") == nullptr);
    CHECK(o.raw().front() == '{');
    CHECK(o.raw().back() == '}');
}

// long: a table
TEST_CASE("json reader: everything that is not exactly one JSON object or array is refused")
{
    for (const std::string_view bytes : {
             "",
             " ",
             "{",
             "}",
             "[",
             "[1",
             "[1,",
             "{\"a\"",
             "{\"a\":",
             "{\"a\":1",
             "{\"a\":1,}",
             "[1,]",
             "[,1]",
             "[1 2]",
             "{\"a\" 1}",
             "{\"a\":1 \"b\":2}",
             "{a:1}",
             "{'a':1}",
             "[1}",
             "{\"a\":1]",
             "{} {}",
             "{}x",
             "[]]",
             "[01]",
             "[1.]",
             "[.5]",
             "[+1]",
             "[1e]",
             "[-]",
             "[1x]",
             "[NaN]",
             "[Infinity]",
             "[tru]",
             "[truex]",
             "[nul]",
             "[nullx]",
             "[falsey]",
             "[\"\\x\"]",
             "[\"\\u12\"]",
             "[\"\\ud800\"]",
             "[\"\\udc00x\"]",
             "[\"\\ud800\\u0041\"]",
             "[\"a\nb\"]",
             "[\"\x80\"]",
             "[\"\xC0\xAF\"]",
             "[\"\xED\xA0\x80\"]",
             "[\"open]",
             "\"x\"",
             "1",
             "null",
             "[\x01]",
             "{\"a\":foo}",
             "[1]//c",
             "{\"a\":1,\"a\":2}",
             "{\"x\":{\"a\":1,\"\\u0061\":2}}",
             "{\"a\"}",
             "{1:2}",
             "[[]",
             "{\"a\":[}",
             "[\"\\\"]",
             "{,}",
             "[:]",
             "{\"a\"::1}",
             "[1,,2]",
         })
        CHECK_MESSAGE(!complaint(bytes).empty(), bytes);
    CHECK_FALSE(complaint(std::string_view{"{\"a\":1}\0", 8}).empty());
    CHECK(complaint("{\"a\":1,\"a\":2}").find("\"a\" occurs twice") != std::string::npos);
}

TEST_CASE("json reader: numbers of any size and spelling are kept, NUL escapes are text")
{
    for (const std::string_view number : {"0", "-0", "1e400", "-1E-400", "0.10", "1e+2",
             "123456789012345678901234567890", "-9223372036854775808", "9223372036854775807"}) {
        const auto o = object("{\"n\":" + std::string{number} + "}");
        CHECK(o.find("n")->raw() == number);
        CHECK(o.find("n")->as_number().has_value());
    }
    CHECK(object("{\"n\":-9223372036854775808}").find("n")->as_integer() == INT64_MIN);
    CHECK_FALSE(object("{\"n\":9223372036854775808}").find("n")->as_integer());
    CHECK(*object(R"({"s":"a\u0000b"})").find("s")->as_string() == std::string("a\0b", 3));
    CHECK(*object(R"({"s":"\ud83d\ude00"})").find("s")->as_string() == "\U0001F600");
}

TEST_CASE("json reader: depth is bounded")
{
    const std::string deep(100'000, '[');
    CHECK(complaint(deep + std::string(100'000, ']')).find("deep") != std::string::npos);
    CHECK(complaint(std::string(100, '[') + std::string(100, ']')).empty());
}

TEST_CASE("json reader: a large document is read from views that end at its last byte")
{
    std::string big = "[";
    for (int i = 0; i < 200'000; ++i)
        big += "{\"i\":" + std::to_string(i) + "},";
    big += "null]";
    const auto parsed = json::parse(big);
    REQUIRE(parsed.has_value());
    CHECK(parsed->root().items().size() == 200'001);
    CHECK(parsed->root().items()[199'999].raw() == "{\"i\":199999}");
}

TEST_CASE("json object: look-ups check and their errors name the field")
{
    const auto o = object(R"({"prompt":"p","timeout_s":1.5,"n":5,"x":null,"env":{"A":1},"l":["a",2],
        "sub":{"inner":"no"},"f":0.5})");
    CHECK(o.string("prompt").value() == "p");
    CHECK(o.string("absent").error().text == "field \"absent\": is required");
    CHECK(o.string("absent").error().is(json::errc::missing_field));
    CHECK(o.string("x").error().is(json::errc::missing_field));
    CHECK(o.string("n").error().text == "field \"n\": must be a string");
    CHECK(o.optional_integer("timeout_s", 0, 9).error().text ==
        "field \"timeout_s\": must be a whole number");
    CHECK(o.optional_integer("n", 0, 4).error().text == "field \"n\": must be between 0 and 4");
    CHECK(o.integer("n", 5, 5).value() == 5);
    CHECK_FALSE(o.optional_string("x").value().has_value());
    CHECK_FALSE(o.optional_string("absent").value().has_value());
    CHECK(o.optional_boolean("n").error().text == "field \"n\": must be true or false");
    CHECK(o.optional_number("f", 0, 1).value() == 0.5);
    CHECK(o.optional_number("n", 0, 1).error().is(json::errc::bad_value));
    CHECK(o.optional_strings("l").error().text == "field \"l\": must be an array of strings");
    CHECK(o.optional_string_map("env").error().text == "field \"env.A\": must be a string");
    CHECK(o.child("sub").value().integer("inner", 0, 1).error().text ==
        "field \"sub.inner\": must be a whole number");
    CHECK(o.refuse("prompt", "is too long").text == "field \"prompt\": is too long");
    CHECK(o.allow_only({"prompt"}).error().text == "field \"timeout_s\": is unknown");
    CHECK(o.allow_only({"prompt", "timeout_s", "n", "x", "env", "l", "sub", "f"}).has_value());
}

TEST_CASE("json object: it owns what it reads and its children share it")
{
    const auto child = [] {
        std::string bytes = R"({"a":{"b":"text that is too long for a short string"}})";
        auto inner = object(bytes).child("a").value();
        bytes.assign(bytes.size(), 'x');
        return inner;
    }();
    CHECK(child.string("b").value() == "text that is too long for a short string");
    CHECK(json::parse_object("[1]").error().is(json::errc::wrong_type));
}

TEST_CASE("json is_cut_off: tells what lacks its end from what is wrong")
{
    for (const std::string_view bytes :
        {"{", "{\"a\"", "{\"a\":\"x", "{\"a\":\"x\\", "{\"a\":[1,", "{\"a\":tr", " "})
        CHECK_MESSAGE(json::is_cut_off(bytes), bytes);
    for (const std::string_view bytes : {"{}", "{\"a\":foo", "[1]", "{]", "{\"a\":1}x"})
        CHECK_MESSAGE(!json::is_cut_off(bytes), bytes);
}

TEST_CASE("json reader: half a surrogate pair is refused, or replaced where that is asked for")
{
    const std::string_view bytes = R"({"s":"a\ud83d","t":"\ude00\n\"\u00e9\ud83d\ude00\ud83dx"})";
    CHECK_FALSE(json::parse(bytes).has_value());
    const auto parsed = json::parse(bytes, json::lone_surrogates::replace);
    REQUIRE(parsed.has_value());
    CHECK(*parsed->root().find("s")->as_string() == "a\uFFFD");
    CHECK(parsed->root().find("s")->raw() == R"("a\ud83d")");
    CHECK(*parsed->root().find("t")->as_string() == "\uFFFD\n\"\u00e9\U0001F600\uFFFDx");
    CHECK_FALSE(json::parse(R"(["\ud83d\x"])", json::lone_surrogates::replace).has_value());
    CHECK_FALSE(json::parse(R"(["\u12"])", json::lone_surrogates::replace).has_value());
}

TEST_CASE("json reader: what it says of bad JSON is text, even where it quotes a part of it")
{
    std::string long_word = "x";
    for (int i = 0; i < 100; ++i)
        long_word += "\xC3\xA9";
    const auto no_value = json::parse_object("{\"a\":1" + long_word + "}");
    REQUIRE_FALSE(no_value.has_value());
    CHECK(agentd::base::is_utf8(no_value.error().text));
    const auto twice = json::parse_object("{\"" + long_word + "\":1,\"" + long_word + "\":2}");
    REQUIRE_FALSE(twice.has_value());
    CHECK(agentd::base::is_utf8(twice.error().text));
    const auto unknown = json::parse_object("{\"" + long_word + "\":1}");
    REQUIRE(unknown.has_value());
    CHECK(agentd::base::is_utf8(unknown->allow_only({"a"}).error().text));
}

TEST_CASE("json reader: a caller may allow less depth")
{
    CHECK(json::parse("[[[]]]", json::lone_surrogates::refuse, 2).has_value());
    CHECK_FALSE(json::parse("[[[]]]", json::lone_surrogates::refuse, 1).has_value());
}
