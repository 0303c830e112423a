// Paths, links and special files, each found both by the kernel and by the walk.
#include "tests/daemon/tools/folder.hpp"
#include "tools/error.hpp"
#include "tools/replacement.hpp"
#include "tools/workspace.hpp"

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

using agentd::testing::folder;
using namespace agentd::tools;
namespace base = agentd::base;

namespace {

constexpr std::array ways{way::kernel, way::walk};

workspace opened(const folder& in, way found_by = way::kernel)
{
    auto files = workspace::open(in.path(), found_by);
    REQUIRE_MESSAGE(files, files.error().text);
    return std::move(*files);
}

// The text, or "Error: ...".
std::string read(const workspace& files, std::string_view path)
{
    const auto file = files.open_to_read(path);
    if (!file)
        return "Error: " + file.error().text;
    std::string text(file->size, '\0');
    REQUIRE(
        ::pread(file->fd.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    return text;
}

std::string write(const workspace& files, std::string_view path, std::string_view text)
{
    const auto where = files.find_target(path, missing_folders::make);
    if (!where)
        return "Error: " + where.error().text;
    auto fresh = replacement::begin(*where);
    if (!fresh)
        return "Error: " + fresh.error().text;
    if (auto written = fresh->write(text); !written)
        return "Error: " + written.error().text;
    const auto done = fresh->commit();
    return done ? "ok" : "Error: " + done.error().text;
}

} // namespace

TEST_CASE("below: an absolute path is relative to the first of the names it lies under")
{
    const std::vector<std::string> names{"/a/b", "/link"};
    struct row {
        std::string_view path;
        std::optional<std::string> inside;
    };
    const std::vector<row> table{
        {"/a/b/c", "c"},
        {"/a/b/c/d", "c/d"},
        {"/a/b", "."},
        {"/a/b/", "."},
        {"//a/./b//c", "c"},
        {"/link/x", "x"},
        {"/a/b/../c", "../c"},
        {"/a/bc", std::nullopt},
        {"/a", std::nullopt},
        {"/a/../a/b/c", std::nullopt},
        {"/", std::nullopt},
        {"a/b/c", std::nullopt},
    };
    for (const auto& [path, inside] : table)
        CHECK_MESSAGE(below(path, names) == inside, path);
    CHECK(below("/etc/passwd", {"/"}) == "etc/passwd");
}

TEST_CASE("workspace: only a folder that can be entered is one")
{
    const folder in;
    in.write("file", "x");
    CHECK_FALSE(workspace::open(in / "file"));
    CHECK_FALSE(workspace::open(in / "none"));
    CHECK(opened(in).path() == in.path());
}

TEST_CASE("workspace: files inside are found by relative and by absolute paths, through links too")
{
    const folder in;
    const folder elsewhere;
    in.make_folder("a/b");
    in.write("a/b/f", "text");
    in.link("file", "a/b/f");
    in.link("dir", "a/b");
    in.link("up", "a/b/../../a");
    in.link("absolute", in / "a/b/f");
    in.link("a/back", "../file");
    elsewhere.link("ws", in.path());
    for (const auto found_by : ways) {
        auto files = workspace::open(elsewhere / "ws", found_by);
        REQUIRE(files);
        for (const auto& path :
            std::vector<std::string>{"a/b/f", "./a//b/./f", "a/../a/b/f", "file", "dir/f", "up/b/f",
                "absolute", "a/back", in / "a/b/f", in / "dir/f", elsewhere / "ws/a/b/f"})
            CHECK_MESSAGE(read(*files, path) == "text", path);
    }
}

TEST_CASE("workspace: what leads out is refused and named")
{
    const folder in;
    const folder outside;
    outside.write("secret", "secret");
    in.make_folder("a");
    in.link("file", outside / "secret");
    in.link("dir", outside.path());
    in.link("parent", "..");
    in.link("again", "dir");
    in.link("root", "/");
    in.link("magic", "/proc/self/root/etc/passwd");
    in.link("cwd", "/proc/self/cwd");
    const auto sibling = in.path() + "x";
    for (const auto found_by : ways) {
        const auto files = opened(in, found_by);
        for (const auto& path : std::vector<std::string>{"..", "../x", "a/../../x", "a/../..",
                 "/etc/passwd", "/", "file", "dir/secret", "dir/none", "again/secret", "parent/x",
                 "root/etc/passwd", "magic", "cwd/x", outside / "secret", sibling,
                 in.path() + "/../x", "a/../../" + in.path()}) {
            const auto wanted = "Error: Path escapes workspace: " + path;
            CHECK_MESSAGE(read(files, path) == wanted, path);
            CHECK_MESSAGE(write(files, path, "x") == wanted, path);
        }
    }
    CHECK(outside.entries() == 1);
    CHECK(outside.text("secret") == "secret");
}

TEST_CASE("workspace: what is missing, or no regular file, is said and nothing waits for it")
{
    const folder in;
    in.make_folder("dir");
    in.write("file", "x");
    in.link("loop", "loop");
    in.link("dangling", "nowhere");
    REQUIRE(::mkfifo((in / "fifo").c_str(), 0600) == 0);
    const base::unique_fd listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    (in / "socket").copy(name.sun_path, sizeof name.sun_path - 1);
    REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
    struct row {
        std::string_view path;
        std::string_view reason;
    };
    const std::vector<row> table{
        {"none", "No such file or directory"},
        {"none/x", "No such file or directory"},
        {"dangling", "No such file or directory"},
        {"file/x", "Not a directory"},
        {"file/", "Not a directory"},
        {"loop", "Too many levels of symbolic links"},
        {"dir", "it is a directory"},
        {"dir/", "it is a directory"},
        {".", "it is a directory"},
        {"fifo", "it is a fifo, not a regular file"},
        {"socket", "it is a socket, not a regular file"},
    };
    for (const auto found_by : ways) {
        const auto files = opened(in, found_by);
        for (const auto& [path, reason] : table)
            CHECK(read(files, path) ==
                "Error: cannot read " + std::string{path} + ": " + std::string{reason});
        CHECK(read(files, std::string(5000, 'a')).ends_with("File name too long"));
        CHECK(read(files, std::string(300, 'a')).ends_with("File name too long"));
    }
}

TEST_CASE("workspace: a write replaces the file in one step and keeps its mode")
{
    const folder in;
    in.write("file", "old");
    for (const mode_t mode : {0644U, 0755U, 0600U}) {
        REQUIRE(::chmod((in / "file").c_str(), mode) == 0);
        CHECK(write(opened(in), "file", "new") == "ok");
        CHECK(in.text("file") == "new");
        CHECK(in.mode("file") == mode);
    }
    const auto old_mask = ::umask(027);
    CHECK(write(opened(in), "fresh", "") == "ok");
    ::umask(old_mask);
    CHECK(in.mode("fresh") == 0640U);
    CHECK(in.entries() == 2);
}

TEST_CASE("workspace: a write makes the folders it needs, inside only")
{
    const folder in;
    const folder outside;
    in.link("to", "made/by");
    in.link("out", outside / "x");
    for (const auto found_by : ways) {
        const auto files = opened(in, found_by);
        const std::string top = found_by == way::kernel ? "k" : "w";
        CHECK(write(files, top + "/a/b/f", "1") == "ok");
        CHECK(in.text(top + "/a/b/f") == "1");
        CHECK(write(files, "to/" + top, "2") == "ok");
        CHECK(in.text("made/by/" + top) == "2");
        CHECK(write(files, "out/f", "3") == "Error: Path escapes workspace: out/f");
        CHECK(write(files, top + "/new/", "4").ends_with("No such file or directory"));
        CHECK_FALSE(in.has(top + "/new"));
        CHECK(write(files, top + "/a", "5") ==
            "Error: cannot write " + top + "/a: it is a directory");
    }
    CHECK(outside.entries() == 0);
}

TEST_CASE("workspace: writing through a link inside replaces its target and leaves the link")
{
    const folder in;
    in.make_folder("a");
    in.write("a/f", "old");
    in.link("link", "a/f");
    in.link("second", in / "link");
    in.link("dangling", "a/new");
    for (const auto found_by : ways) {
        const auto files = opened(in, found_by);
        CHECK(write(files, "second", "x") == "ok");
        CHECK(in.text("a/f") == "x");
        CHECK(in.is_link("link"));
        CHECK(in.is_link("second"));
        CHECK(write(files, "dangling", "y") == "ok");
        CHECK(in.text("a/new") == "y");
        CHECK(in.is_link("dangling"));
    }
}

TEST_CASE("workspace: special files are not written, and a fifo has no reader to wait for")
{
    const folder in;
    REQUIRE(::mkfifo((in / "fifo").c_str(), 0600) == 0);
    CHECK(write(opened(in), "fifo", "x") ==
        "Error: cannot write fifo: it is a fifo, not a regular file");
    CHECK(in.entries() == 1);
}

TEST_CASE("workspace: a write that is given up leaves the old file and nothing else")
{
    const folder in;
    in.write("file", "old");
    const auto files = opened(in);
    {
        const auto where = files.find_target("file", missing_folders::refuse);
        REQUIRE(where);
        auto fresh = replacement::begin(*where);
        REQUIRE(fresh);
        CHECK(fresh->write("half"));
        CHECK(in.entries() == 2);
    }
    CHECK(in.text("file") == "old");
    CHECK(in.entries() == 1);
}

TEST_CASE("workspace: a protected file is not replaced by who may not write it")
{
    if (::geteuid() == 0) // root may
        return;
    const folder in;
    in.write("file", "old");
    REQUIRE(::chmod((in / "file").c_str(), 0444) == 0);
    CHECK(write(opened(in), "file", "new") == "Error: cannot write file: Permission denied");
    CHECK(in.text("file") == "old");
}

TEST_CASE("workspace: it stays the folder it was, also when another takes its path")
{
    const folder in;
    in.make_folder("ws");
    in.write("ws/f", "mine");
    const auto files = workspace::open(in / "ws");
    REQUIRE(files);
    std::filesystem::rename(in / "ws", in / "moved");
    in.make_folder("ws");
    in.write("ws/f", "another");
    CHECK(read(*files, "f") == "mine");
}
