// read_file, write_file and edit_file on real files.
#include "base/text.hpp"
#include "proto/json/writer.hpp"
#include "tests/daemon/tools/calls.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <string>

using agentd::testing::calls;
namespace base = agentd::base;
namespace json = agentd::proto::json;

namespace {

std::string read(calls& with, std::string_view path, int limit = 0)
{
    std::string input;
    {
        json::object_writer out{input};
        out.member("path", path);
        if (limit != 0)
            out.member("limit", limit);
    }
    return with.run("read_file", input);
}

std::string write(calls& with, std::string_view path, std::string_view content)
{
    std::string input;
    json::object_writer{input}.member("path", path).member("content", content).close();
    return with.run("write_file", input);
}

std::string edit(calls& with, std::string_view path, std::string_view from, std::string_view to)
{
    std::string input;
    json::object_writer{input}
        .member("path", path)
        .member("old_text", from)
        .member("new_text", to)
        .close();
    return with.run("edit_file", input);
}

} // namespace

TEST_CASE("read_file: gives the text as it is, markers and escapes included")
{
    calls with;
    const std::string text = " <background-results>\n\t\x1b[1mbold\r\n</background-results>\n\n";
    with.in.write("f", text);
    CHECK(read(with, "f") == text);
    with.in.write("empty", "");
    CHECK(read(with, "empty") == "(empty file)");
}

TEST_CASE("read_file: a limit gives so many lines and counts the rest")
{
    calls with;
    with.in.write("f", "1\n2\n3\n4\n5\n");
    CHECK(read(with, "f", 2) == "1\n2\n... (3 more)");
    CHECK(read(with, "f", 5) == "1\n2\n3\n4\n5\n");
}

TEST_CASE("read_file: bytes that are no text are replaced")
{
    calls with;
    with.in.write("f", std::string{"a\xFF\0b", 4});
    CHECK(read(with, "f") == "a\uFFFD\uFFFDb");
}

TEST_CASE("read_file: a huge file costs no memory, and its lines are counted")
{
    calls with;
    REQUIRE(::truncate((with.in / "none").c_str(), 1) != 0);
    with.in.write("f", "first\nsecond\n");
    REQUIRE(::truncate((with.in / "f").c_str(), 300'000'000) == 0); // sparse
    CHECK(read(with, "f", 1) == "first\n... (2 more)");
    const auto all = read(with, "f");
    CHECK(base::count_chars(all) <= 50'000);
    CHECK(all.starts_with("first\nsecond\n\uFFFD"));
    CHECK(all.find("more bytes") != std::string::npos);
}

TEST_CASE("read_file: refuses what leads out and what is no file, with the reference's words")
{
    calls with;
    with.in.make_folder("dir");
    with.in.link("out", "/etc/passwd");
    CHECK(read(with, "../x") == "Error: Path escapes workspace: ../x");
    CHECK(read(with, "out") == "Error: Path escapes workspace: out");
    CHECK(read(with, "/etc/passwd") == "Error: Path escapes workspace: /etc/passwd");
    CHECK(read(with, "dir") == "Error: cannot read dir: it is a directory");
    CHECK(read(with, "none") == "Error: cannot read none: No such file or directory");
    CHECK(read(with, "</background-results>") ==
        "Error: cannot read \u2039/background-results>: No such file or directory");
}

TEST_CASE("write_file: makes folders, replaces files and counts bytes")
{
    calls with;
    CHECK(write(with, "a/b/f", "gr\u00fc\u00df\n") == "Wrote 7 bytes");
    CHECK(with.in.text("a/b/f") == "gr\u00fc\u00df\n");
    CHECK(write(with, with.in / "a/b/f", "") == "Wrote 0 bytes");
    CHECK(with.in.text("a/b/f").empty());
    CHECK(write(with, "../f", "x") == "Error: Path escapes workspace: ../f");
    CHECK(write(with, "a", "x") == "Error: cannot write a: it is a directory");
    CHECK(write(with, "a/b/f/g", "x") == "Error: cannot write a/b/f/g: Not a directory");
}

TEST_CASE("write_file: a NUL and a large content arrive whole")
{
    calls with;
    const std::string content = std::string(3'000'000, 'x') + std::string{"\0end", 4};
    CHECK(write(with, "f", content) == "Wrote 3000004 bytes");
    CHECK(with.in.text("f") == content);
}

TEST_CASE("edit_file: replaces the first exact occurrence and keeps the rest and the mode")
{
    calls with;
    with.in.write("f", "one two one\xFF\n");
    REQUIRE(::chmod((with.in / "f").c_str(), 0755) == 0);
    CHECK(edit(with, "f", "one", "1") == "Edited f");
    CHECK(with.in.text("f") == "1 two one\xFF\n");
    CHECK(with.in.mode("f") == 0755U);
    CHECK(edit(with, "f", " two ", "") == "Edited f");
    CHECK(with.in.text("f") == "1one\xFF\n");
    CHECK(with.in.entries() == 1);
}

TEST_CASE("edit_file: what is not there is said, and the file is untouched")
{
    calls with;
    with.in.write("f", "text");
    CHECK(edit(with, "f", "Text", "x") == "Error: Text not found in f");
    CHECK(edit(with, "none", "a", "b") == "Error: cannot read none: No such file or directory");
    CHECK(edit(with, "new/none", "a", "b").starts_with("Error: cannot write new/none: "));
    CHECK(edit(with, "../f", "a", "b") == "Error: Path escapes workspace: ../f");
    CHECK(with.in.text("f") == "text");
    CHECK(with.in.entries() == 1);
}

TEST_CASE("edit_file: finds a text wherever the pieces it reads begin")
{
    calls with;
    constexpr std::size_t piece = 256U << 10;
    for (const std::size_t at : {piece - 7, piece - 1, piece, 2 * piece - 3}) {
        std::string text(3 * piece, 'n');
        text.replace(at, 6, "needle");
        text += "needle";
        with.in.write("f", text);
        CHECK(edit(with, "f", "needle", "pin") == "Edited f");
        text.replace(at, 6, "pin");
        CHECK((with.in.text("f") == text));
    }
}

TEST_CASE("edit_file: a file too large is left to commands")
{
    calls with;
    with.in.write("f", "text");
    REQUIRE(::truncate((with.in / "f").c_str(), (64 << 20) + 1) == 0);
    CHECK(edit(with, "f", "text", "x") ==
        "Error: cannot edit f: it has more than 67108864 bytes; change it with a command");
}

TEST_CASE("edit_file: through a link the target is changed and the link stays")
{
    calls with;
    with.in.write("f", "old");
    with.in.link("link", "f");
    CHECK(edit(with, "link", "old", "new") == "Edited link");
    CHECK(with.in.text("f") == "new");
    CHECK(with.in.is_link("link"));
}
