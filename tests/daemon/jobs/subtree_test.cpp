// agentd's subtree of control groups over its runs: whose it is, what is left in it.
#include "jobs/leaves.hpp"
#include "jobs/run_record.hpp"
#include "tests/daemon/jobs/rig.hpp"
#include "tests/daemon/jobs/scratch_group.hpp"

#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

using namespace agentd;
using namespace std::chrono_literals;
using testing::enter;
using testing::plant_in;
using testing::scratch_group;

namespace {

// Somebody in a leaf who does not go by himself.
pid_t plant(const jobs::leaves& all, const jobs::leaf& leaf)
{
    const pid_t child = testing::plant_in(all.means().path + "/" + leaf.name(), testing::marker());
    pollfd none{};
    while (!leaf.populated())
        ::poll(&none, 0, 1);
    return child;
}

bool was_killed(pid_t child)
{
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
        WTERMSIG(status) == SIGKILL;
}

} // namespace

TEST_CASE("leaves: what a former run left in its subtree is ended at the next start")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const auto mark = testing::marker();
    std::string path;
    {
        jobs::leaves now{group.path(), "/some/state", {}};
        path = group.path() + "/" + now.subtree();
        const auto inside = path + "/job-1";
        REQUIRE(::mkdir(path.c_str(), 0755) == 0);
        REQUIRE(::mkdir(inside.c_str(), 0755) == 0);
        const pid_t child = plant_in(inside, mark);
        pollfd none{};
        while (testing::processes_with(mark) == 0)
            ::poll(&none, 0, 1);
        REQUIRE(now.open());
        CHECK(now.ended_former() == 1);
        CHECK(now.means().path == path);
        int status = 0;
        CHECK(::waitpid(child, &status, 0) == child);
        CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
        CHECK(testing::processes_with(mark) == 0);
        now.close();
    }
    CHECK(::access(path.c_str(), F_OK) != 0);
    jobs::leaves other{group.path(), "/other/state", {}};
    REQUIRE(other.open());
    CHECK(other.means().path != path);
    CHECK(other.ended_former() == 0);
    other.close();
}

TEST_CASE("leaves: who does not die keeps his group, and this run has another one with everything")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const auto path = group.path() + "/" + jobs::subtree_name("/some/state");
    REQUIRE(::mkdir(path.c_str(), 0755) == 0);
    testing::undying stuck{path};
    if (!stuck.is_there())
        return;
    {
        jobs::leaves now{group.path(), "/some/state", {}};
        REQUIRE(now.open(0, {.stuck = {}, .until = base::mono_now() + 100ms}));
        CHECK(now.stuck() == std::vector{path});
        CHECK(now.means().path == path + ".2");
        auto leaf = now.take();
        REQUIRE(leaf);
        const pid_t child = plant(now, *leaf);
        CHECK(leaf->holds(child));
        CHECK_FALSE(leaf->holds(stuck.pid()));
        CHECK(leaf->kill());
        CHECK(was_killed(child));
        leaf.reset();
        CHECK(now.close());
    }
    stuck.let_go();
    jobs::leaves next{group.path(), "/some/state", {}};
    REQUIRE(next.open());
    CHECK(next.stuck().empty());
    CHECK(next.means().path == path);
    next.close();
}

TEST_CASE("leaves: a subtree that another daemon holds is left alone")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    jobs::leaves first{group.path(), "/some/state", {}};
    REQUIRE(first.open());
    {
        const auto leaf = first.take();
        REQUIRE(leaf);
        const pid_t child = plant(first, *leaf);
        jobs::leaves second{group.path(), "/some/state", {}};
        const auto opened = second.open();
        REQUIRE_FALSE(opened);
        CHECK(opened.error().text.ends_with("another agentd uses " + first.means().path));
        second.close();
        CHECK(leaf->populated());
        CHECK(leaf->kill());
        CHECK(was_killed(child));
    }
    first.close();
    jobs::leaves next{group.path(), "/some/state", {}};
    CHECK(next.open());
    next.close();
}

TEST_CASE("leaves: the same state folder has the same subtree, however it is written")
{
    const testing::temp_folder folder;
    const auto real = folder.path() + "/state";
    const auto link = folder.path() + "/link";
    REQUIRE(::mkdir(real.c_str(), 0755) == 0);
    REQUIRE(::symlink("state", link.c_str()) == 0);
    boost::asio::io_context io;
    aio::blocking_pool blocking{1};
    const auto subtree_of = [&io, &blocking](const std::string& path) {
        jobs::options with;
        with.spool.folder = path;
        const jobs::environment one{io.get_executor(), blocking, with};
        return one.leaves.subtree();
    };
    const auto usual = subtree_of(real + "/jobs");
    CHECK(subtree_of(link + "/jobs") == usual);
    CHECK(subtree_of(real + "//jobs") == usual);
    CHECK(subtree_of(real + "/other") != usual);
    REQUIRE(::mkdir((real + "/jobs").c_str(), 0755) == 0);
    CHECK(subtree_of(real + "/jobs") == usual); // the second start
}

TEST_CASE("leaves: agentd that runs inside of a former leaf does not kill itself")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    jobs::leaves before{group.path(), "/some/state", {}};
    REQUIRE(before.open());
    auto leaf = before.take();
    REQUIRE(leaf);
    const pid_t child = ::fork();
    if (child == 0) {
        if (!enter(before.means().path + "/" + leaf->name()))
            ::_exit(2);
        jobs::leaves now{group.path(), "/some/state", {}};
        const auto opened = now.open();
        ::_exit(!opened && opened.error().text.find("an earlier run") != std::string::npos ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    leaf.reset();
    before.close();
}

TEST_CASE("leaves: who is left in a used leaf is killed again, and it goes")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    jobs::leaves all{group.path(), "/state", {}};
    REQUIRE(all.open());
    auto leaf = all.take();
    REQUIRE(leaf);
    const auto path = all.means().path + "/" + leaf->name();
    const pid_t child = plant(all, *leaf);
    leaf.reset();
    all.tend();
    CHECK(was_killed(child));
    all.tend();
    CHECK(::access(path.c_str(), F_OK) != 0);
    all.close();
}

TEST_CASE("leaves: nobody is left in the subtree when it is closed")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    jobs::leaves all{group.path(), "/state", {}};
    REQUIRE(all.open());
    auto leaf = all.take();
    REQUIRE(leaf);
    const pid_t child = plant(all, *leaf);
    leaf.reset();
    all.close();
    CHECK(was_killed(child));
    CHECK(::rmdir(group.path().c_str()) == 0);
}

TEST_CASE("leaves: a leaf is killed also when there are no descriptors")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    jobs::leaves all{group.path(), "/state", {}};
    REQUIRE(all.open());
    auto leaf = all.take();
    REQUIRE(leaf);
    const pid_t child = plant(all, *leaf);
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit nothing{0, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &nothing) == 0);
    const bool killed = leaf->kill();
    CHECK(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(killed);
    CHECK(was_killed(child));
    leaf.reset();
    all.close();
}
