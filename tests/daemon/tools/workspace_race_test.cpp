// A thread that swaps what a path leads over, while files are read and written there: nothing
// outside is ever read, made or changed.
#include "tests/daemon/tools/folder.hpp"
#include "tools/replacement.hpp"
#include "tools/workspace.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>

using agentd::testing::folder;
using namespace agentd::tools;

namespace {

constexpr int rounds = 800;

// Swaps two names in one step, for as long as it lives.
class swapping {
public:
    swapping(std::string a, std::string b)
        : thread_([this, one = std::move(a), other = std::move(b)] {
              while (!stop_) {
                  ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
                  ++swaps_;
              }
          })
    {}
    ~swapping()
    {
        stop_ = true;
        thread_.join();
    }
    [[nodiscard]] long count() const { return swaps_; }

private:
    std::atomic<bool> stop_ = false;
    std::atomic<long> swaps_ = 0;
    std::thread thread_;
};

// Many tries, and as many more as it takes to meet the folder once: the scheduler may let all of
// them fall into one moment. Others meet the link and are refused.
void write_over_and_over(const workspace& files, const std::string& path)
{
    int done = 0;
    for (int i = 0; i < rounds || done == 0; ++i) {
        const auto where = files.find_target(path, missing_folders::make);
        if (!where)
            continue;
        auto fresh = replacement::begin(*where);
        done += fresh && fresh->write("written") && fresh->commit() ? 1 : 0;
    }
}

// The same for reads, of which none may give the file outside.
void read_over_and_over(const workspace& files, const std::string& path)
{
    int good = 0;
    for (int i = 0; i < rounds || good == 0; ++i) {
        const auto file = files.open_to_read(path);
        std::string text(6, '\0');
        if (!file)
            continue;
        REQUIRE(::pread(file->fd.get(), text.data(), text.size(), 0) == 6);
        REQUIRE(text == "inside");
        ++good;
    }
}

} // namespace

TEST_CASE("workspace race: a folder swapped for a link to outside never lets a write out")
{
    for (const auto found_by : {way::kernel, way::walk}) {
        const folder in;
        const folder outside;
        outside.write("f", "outside");
        in.make_folder("d/sub");
        outside.make_folder("sub");
        in.link("link", outside.path());
        const auto files = workspace::open(in.path(), found_by);
        REQUIRE(files);
        {
            const swapping swaps{in / "d", in / "link"};
            write_over_and_over(*files, "d/f");
            write_over_and_over(*files, "d/sub/f");
            write_over_and_over(*files, "d/new/f");
            CHECK(swaps.count() > 0);
        }
        CHECK(outside.entries() == 2);
        CHECK(outside.text("f") == "outside");
    }
}

TEST_CASE("workspace race: a file swapped for a link to outside is never read nor written through")
{
    for (const auto found_by : {way::kernel, way::walk}) {
        const folder in;
        const folder outside;
        outside.write("f", "secret");
        in.write("f", "inside");
        in.link("link", outside / "f");
        const auto files = workspace::open(in.path(), found_by);
        REQUIRE(files);
        {
            const swapping swaps{in / "f", in / "link"};
            read_over_and_over(*files, "f");
            write_over_and_over(*files, "f");
        }
        CHECK(outside.text("f") == "secret");
    }
}
