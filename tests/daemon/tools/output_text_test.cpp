// Tables for what the model sees of bytes: bounded, valid, and what is missing is said.
#include "base/text.hpp"
#include "tools/file_head.hpp"
#include "tools/output_text.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

using namespace agentd::tools;
namespace base = agentd::base;

namespace {

std::string head_of(std::string_view text, std::optional<std::uint64_t> lines,
    std::size_t chars = 50'000, std::size_t piece = 3)
{
    file_head head{lines, chars};
    for (std::size_t i = 0; i < text.size() && !head.has_all(); i += piece)
        head.feed(text.substr(i, piece));
    return head.text(text.size());
}

} // namespace

TEST_CASE("output_text: characters are counted from both ends, an invalid byte is one")
{
    const std::string text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z"; // 1 2 3 4 1 bytes
    CHECK(prefix_bytes(text, 0) == 0);
    CHECK(prefix_bytes(text, 2) == 3);
    CHECK(prefix_bytes(text, 4) == 10);
    CHECK(prefix_bytes(text, 9) == 11);
    CHECK(suffix_bytes(text, 1) == 1);
    CHECK(suffix_bytes(text, 2) == 5);
    CHECK(suffix_bytes(text, 3) == 8);
    CHECK(suffix_bytes(text, 9) == 11);
    CHECK(prefix_bytes("\x80\x80\xE2\x82", 3) == 3);
    CHECK(suffix_bytes("\x80\x80\x80\x80\x80", 3) == 3);
}

TEST_CASE("output_text: a character cut by a boundary is seen from both sides")
{
    CHECK(unfinished_bytes("a\xE2\x82") == 2);
    CHECK(unfinished_bytes("a\xF0") == 1);
    CHECK(unfinished_bytes("a\xE2\x82\xAC") == 0);
    CHECK(unfinished_bytes("a") == 0);
    CHECK(unfinished_bytes("") == 0);
    CHECK(stray_bytes("\x82\xAC"
                      "a") == 2);
    CHECK(stray_bytes("a\x82") == 0);
}

TEST_CASE("output_text: only what is no UTF-8, and NULs, are replaced in a file's text")
{
    CHECK(valid_text("a\tb\n\x1b[1m") == "a\tb\n\x1b[1m");
    CHECK(valid_text(std::string{"a\0b", 3}) ==
        "a\xEF\xBF\xBD"
        "b");
    CHECK(valid_text("\xFF\xC3\xA4\xE2\x82") == "\xEF\xBF\xBD\xC3\xA4\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("output_text: what fits is whole, stripped and printable")
{
    CHECK(shortened("\n ab", 0, "cd \n\n", 100) == "abcd");
    CHECK(shortened("", 0, "", 100).empty());
    CHECK(shortened(" \n", 0, "", 100).empty());
    CHECK(shortened("\x1b[31mred\x1b[0m", 0, "", 100) == "red");
    CHECK(shortened("\xE2\x82", 0, "\xAC", 100) == "\xE2\x82\xAC");
}

TEST_CASE("output_text: beyond the cap a quarter of head and the tail stay, the rest is counted")
{
    const std::string text = std::string(1000, 'h') + std::string(1000, 't');
    const auto cut = shortened(text, 0, "", 464);
    CHECK(cut == std::string(100, 'h') + "\n[1600 bytes left out]\n" + std::string(300, 't'));
    const auto gap = shortened(std::string(1000, 'h'), 5'000'000'000, std::string(1000, 't'), 464);
    CHECK(gap == std::string(100, 'h') + "\n[5000001600 bytes left out]\n" + std::string(300, 't'));
    const auto short_ends = shortened("head", 7, "tail", 464);
    CHECK(short_ends == "head\n[7 bytes left out]\ntail");
}

TEST_CASE("output_text: whatever the bytes are, no more characters come out than the cap")
{
    for (const auto* unit :
        {"a", "\x80", "\xE2\x82\xAC", "\xE2\x82", "\x1b[", "\xF0\x9F\x98\x80"}) {
        std::string flood;
        while (flood.size() < 5000)
            flood += unit;
        for (const std::uint64_t missing : {0U, 3U}) {
            const auto text = shortened(flood, missing, flood, 1000);
            CHECK(base::is_utf8(text));
            CHECK(base::count_chars(text) <= 1000);
        }
    }
}

TEST_CASE("file_head: without a limit the text is exact")
{
    for (const auto* text : {"a", "a\n", "a\nb", "\n\n", " x ", "a\r\nb\r\n"})
        CHECK(head_of(text, std::nullopt) == text);
    CHECK(head_of("", std::nullopt) == "(empty file)");
}

TEST_CASE("file_head: a limit shows so many lines and counts the rest")
{
    CHECK(head_of("a\nb\nc\n", 2) == "a\nb\n... (1 more)");
    CHECK(head_of("a\nb\nc", 1) == "a\n... (2 more)");
    CHECK(head_of("a\nb\nc\n", 3) == "a\nb\nc\n");
    CHECK(head_of("a\nb\nc", 3) == "a\nb\nc");
    CHECK(head_of("a\nb\nc", 9) == "a\nb\nc");
    CHECK(head_of("\n\n\n", 1) == "\n... (2 more)");
    std::string many;
    for (int i = 0; i < 1000; ++i)
        many += "line\n";
    CHECK(head_of(many, 1, 50'000, 64) == "line\n... (999 more)");
}

TEST_CASE("file_head: no more characters than the cap, and the last line says what is missing")
{
    const std::string text(1000, 'x');
    for (const auto limit : {std::optional<std::uint64_t>{}, std::optional<std::uint64_t>{1}}) {
        const auto shown = head_of(text, limit, 400, 64);
        CHECK(base::count_chars(shown) <= 400);
        CHECK(shown.starts_with(std::string(280, 'x') + "\n... (cut: 720 more bytes"));
    }
    CHECK(head_of(std::string(400, 'x'), std::nullopt, 400) == std::string(400, 'x'));
    std::string wide;
    for (int i = 0; i < 400; ++i)
        wide += "\xF0\x9F\x98\x80";
    CHECK(head_of(wide, std::nullopt, 400, 7) == wide);
    const auto over = head_of(wide + "\xF0\x9F\x98\x80", std::nullopt, 400, 7);
    CHECK(base::count_chars(over) <= 400);
    CHECK(over.find("484 more bytes") != std::string::npos); // 401 - 280 characters of 4 bytes
}
