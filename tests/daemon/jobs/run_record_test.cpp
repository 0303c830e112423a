// What one run leaves for the next in a small file, and what the next one does with it.
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "jobs/children.hpp"
#include "jobs/run_record.hpp"
#include "tests/daemon/jobs/rig.hpp"
#include "tests/daemon/jobs/scratch_group.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

using namespace agentd;
using testing::scratch_group;

TEST_CASE("record: there as long as a run has not ended in order, and only a path of groups counts")
{
    const testing::temp_folder folder;
    const jobs::run_record record{folder.path() + "/jobs"};
    CHECK_FALSE(record.read());
    const auto path = "/sys/fs/cgroup/" + jobs::subtree_name("7:1/jobs");
    REQUIRE(record.write({.groups = path, .stuck = {}, .processes = {}}));
    CHECK(record.read()->groups == path);
    for (const std::string wrong : {"", "/etc", "/sys/fs/cgroup/agentd-1",
             "agentd-0123456789abcdef", "/x/agentd-0123456789abcdeg",
             "/x/agentd-0123456789abcdef/job-1", "/x/agentd-0123456789abcdef.1",
             "/x/agentd-0123456789abcdef.22", "/x/agentd-0123456789abcdef2"}) {
        CAPTURE(wrong);
        REQUIRE(record.write({.groups = wrong, .stuck = {wrong}, .processes = {}}));
        CHECK(record.read()->groups.empty());
        CHECK(record.read()->stuck.empty());
    }
    record.remove();
    CHECK_FALSE(record.read());
    const jobs::run_record nowhere{folder.path() + "/none/jobs"};
    CHECK_FALSE(nowhere.write({.groups = path, .stuck = {}, .processes = {}}));
}

TEST_CASE("record: what could not be ended is in it beside the groups of the run, if there are any")
{
    const testing::temp_folder folder;
    const jobs::run_record record{folder.path() + "/jobs"};
    const auto second = "/sys/fs/cgroup/" + jobs::subtree_name("7:1/jobs", 2);
    const jobs::process_identity process{.pid = 12, .start = 345, .boot_id = jobs::boot_id()};
    REQUIRE(record.write({.groups = {}, .stuck = {second}, .processes = {process}}));
    const auto read = record.read();
    REQUIRE(read);
    CHECK(read->groups.empty());
    CHECK(read->stuck == std::vector{second});
    REQUIRE(read->processes.size() == 1);
    CHECK(read->processes.front().pid == 12);
    CHECK(read->processes.front().start == 345);
    CHECK(read->processes.front().boot_id == jobs::boot_id());
}

TEST_CASE("record: the identity stays with the folder wherever that is moved or looked at")
{
    const testing::temp_folder folder;
    const auto state = folder.path() + "/state";
    REQUIRE(::mkdir(state.c_str(), 0700) == 0);
    const auto usual = jobs::identity_of(state + "/jobs");
    REQUIRE(::symlink("state", (folder.path() + "/link").c_str()) == 0);
    CHECK(jobs::identity_of(folder.path() + "/link/jobs") == usual);
    std::filesystem::rename(state, folder.path() + "/moved");
    CHECK(jobs::identity_of(folder.path() + "/moved/jobs") == usual);
    REQUIRE(::mkdir(state.c_str(), 0700) == 0);
    CHECK(jobs::identity_of(state + "/jobs") != usual);
}

TEST_CASE("leaves: what is left in the recorded groups is ended, whatever the setting is now")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const testing::temp_folder folder;
    jobs::options with;
    with.spool.folder = folder.path() + "/jobs";
    with.cgroup = "off";
    const auto path = group.path() + "/" + jobs::subtree_name("1:2/moved");
    REQUIRE(::mkdir(path.c_str(), 0755) == 0);
    const auto mark = testing::marker();
    const pid_t child = testing::plant_in(path, mark);
    while (testing::processes_with(mark) == 0)
        ::poll(nullptr, 0, 1);
    const jobs::run_record record{with.spool.folder};
    REQUIRE(record.write({.groups = path, .stuck = {}, .processes = {}}));

    testing::run_coro([&with](aio::executor strand) -> aio::awaitable<> {
        aio::blocking_pool blocking{1};
        jobs::environment next{strand, blocking, with};
        CHECK_FALSE(next.ended_in_order());
        const auto opened = next.open();
        CHECK(opened);
        CHECK_FALSE(next.ended_in_order()); // it has begun
        co_await next.close();
        CHECK(next.ended_in_order());
    });
    CHECK(testing::processes_with(mark) == 0);
    CHECK(::waitpid(child, nullptr, 0) == -1); // it was a child: reaped by the sweep
    CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("record: what does not die is noted in it run by run, until it is gone")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const testing::temp_folder folder;
    auto with = testing::in_group(group.path());
    with.spool.folder = folder.path() + "/jobs";
    const auto identity = jobs::identity_of(with.spool.folder);
    const auto path = group.path() + "/" + jobs::subtree_name(identity);
    REQUIRE(::mkdir(path.c_str(), 0755) == 0);
    testing::undying in_group{path};
    testing::undying alone{
        "", (std::uint64_t{1} << 62) | (std::uint64_t{jobs::mark_space(identity)} << 32) | 1};
    if (!in_group.is_there() || !alone.is_there())
        return;
    const jobs::run_record record{with.spool.folder};
    // As a run has left it that had tried already: one that has not would wait for seconds.
    REQUIRE(record.write({.groups = {},
        .stuck = {path},
        .processes = {{alone.pid(), jobs::start_of(alone.pid()), jobs::boot_id()}}}));
    const auto run_once = [&with](const std::function<void(jobs::environment&)>& look) {
        testing::run_coro([&with, &look](aio::executor strand) -> aio::awaitable<> {
            aio::blocking_pool blocking{1};
            jobs::environment next{strand, blocking, with};
            const auto began = base::mono_now();
            const auto opened = next.open();
            CHECK(opened);
            CHECK(base::elapsed_since(began) < limits::former_death); // two moments, and the looks
            look(next);
            co_await next.close();
        });
    };
    run_once([&](jobs::environment& run) {
        CHECK(run.leaves.means().path == path + ".2");
        const auto noted = record.read();
        REQUIRE(noted);
        CHECK(noted->groups == path + ".2");
        CHECK(noted->stuck == std::vector{path});
        REQUIRE(noted->processes.size() == 1);
        CHECK(noted->processes.front().pid == alone.pid());
    });
    const auto left = record.read();
    REQUIRE(left); // it has ended in order, but it has not ended everything
    CHECK(left->groups.empty());
    CHECK(left->stuck == std::vector{path});
    CHECK(left->processes.size() == 1);
    CHECK(::access((path + ".2").c_str(), F_OK) != 0);

    in_group.let_go();
    alone.let_go();
    run_once([&](jobs::environment& run) {
        CHECK(run.leaves.means().path == path);
        CHECK(record.read()->stuck.empty());
    });
    CHECK_FALSE(record.read());
}

TEST_CASE("record: processes of a command that was given up keep it from going")
{
    const testing::temp_folder folder;
    jobs::options with;
    with.spool.folder = folder.path() + "/jobs";
    testing::undying stuck{""};
    if (!stuck.is_there())
        return;
    const jobs::run_record record{with.spool.folder};
    for (const bool alive : {true, false}) {
        CAPTURE(alive);
        if (!alive)
            stuck.let_go();
        testing::run_coro([&with, &stuck](aio::executor strand) -> aio::awaitable<> {
            aio::blocking_pool blocking{1};
            jobs::environment run{strand, blocking, with};
            REQUIRE(run.open());
            run.note_given_up({stuck.pid()});
            co_await run.close();
        });
        CHECK(record.read().has_value() == alive);
    }
}
