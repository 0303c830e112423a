// Control groups of commands: where they may be and what is born in them.
// Everything here that needs a writable cgroup2 is skipped with its reason where there is none.
#include "jobs/leaves.hpp"
#include "jobs/tree.hpp"
#include "tests/daemon/jobs/rig.hpp"
#include "tests/daemon/jobs/scratch_group.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

using namespace agentd;
using namespace std::chrono_literals;
using testing::in_group;
using testing::rig;
using testing::scratch_group;
using testing::with_rig;

TEST_CASE("leaves: the first cgroup2 of a mountinfo is found, alone or beside older ones")
{
    const auto* const hybrid =
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
    CHECK(jobs::cgroup2_mount(hybrid) == jobs::cgroup_mount{"/", "/sys/fs/cgroup/unified"});
    CHECK(jobs::cgroup2_mount("30 23 0:26 /a\\040b /sys/fs/c\\040g rw - cgroup2 cgroup2 rw") ==
        jobs::cgroup_mount{"/a b", "/sys/fs/c g"});
    CHECK_FALSE(jobs::cgroup2_mount("31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"));
    CHECK_FALSE(jobs::cgroup2_mount("31 23 - cgroup2 cgroup2 rw\n"));
    CHECK_FALSE(jobs::cgroup2_mount(""));
}

TEST_CASE("leaves: the own path of cgroup2 is the one with the number 0")
{
    CHECK(jobs::cgroup2_path("9:name=systemd:/x\n4:memory:/m\n0::/a/b\n") == "/a/b");
    CHECK(jobs::cgroup2_path("0::/a (deleted)\n") == "/a");
    CHECK(jobs::cgroup2_path("0::/") == "/");
    CHECK_FALSE(jobs::cgroup2_path("10::/a\n1:cpu:/\n"));
}

TEST_CASE("leaves: a group's folder lies below its mount, or nowhere")
{
    CHECK(jobs::folder_of({"/", "/cg"}, "/") == "/cg");
    CHECK(jobs::folder_of({"/", "/cg"}, "/a/b") == "/cg/a/b");
    CHECK(jobs::folder_of({"/a", "/cg"}, "/a/b") == "/cg/b");
    CHECK(jobs::folder_of({"/a", "/cg"}, "/a") == "/cg");
    CHECK_FALSE(jobs::folder_of({"/a", "/cg"}, "/ab"));
    CHECK_FALSE(jobs::folder_of({"/", "/cg"}, "/../x"));
    CHECK_FALSE(jobs::folder_of({"/", "/cg"}, ""));
}

TEST_CASE("leaves: switched off there are none, and the reason says so")
{
    jobs::leaves none{"off", "/state", {}};
    REQUIRE(none.open());
    CHECK_FALSE(none.take());
    CHECK(none.means().means == "subreaper");
    CHECK(none.means().reason == "control groups are switched off (jobs.cgroup)");
    CHECK(none.means().path.empty());
    none.close();
}

TEST_CASE("leaves: a configured folder that cannot be used is an error that says why")
{
    const auto why = [](const std::string& folder) {
        jobs::leaves wrong{folder, "/state", {}};
        const auto opened = wrong.open();
        REQUIRE_FALSE(opened);
        return opened.error().text;
    };
    CHECK(why("/tmp") == "cannot use jobs.cgroup = /tmp: /tmp is no control group of cgroup2");
    CHECK(why("/nowhere/at/all") ==
        "cannot use jobs.cgroup = /nowhere/at/all: cannot use /nowhere/at/all: No such file or "
        "directory");
    CHECK(why("/dev/null") ==
        "cannot use jobs.cgroup = /dev/null: cannot use /dev/null: Not a directory");
}

TEST_CASE("leaves: a command is born in a leaf of its own, which is empty and gone at the end")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const auto test = [&group](rig& with) -> aio::awaitable<> {
        const auto& means = with.shared.leaves.means();
        CHECK(means.means == "cgroup");
        CHECK(means.path.starts_with(group.path() + "/agentd-"));
        const auto end = co_await with.run_foreground("grep ^0:: /proc/self/cgroup");
        CHECK(end.output.head.find(means.path.substr(means.path.rfind('/')) + "/job-") !=
            std::string::npos);
        const auto other = co_await with.run_job("grep ^0:: /proc/self/cgroup");
        CHECK(other.output.head.starts_with("0::/"));
        CHECK(other.output.head != end.output.head);
    };
    with_rig(test, in_group(group.path()));
    CHECK(::rmdir(group.path().c_str()) == 0); // nothing is left in it
}

TEST_CASE("leaves: groups that a command has made below its own go with it")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const auto test = [](rig& with) -> aio::awaitable<> {
        const auto mark = testing::marker();
        const auto own = with.shared.leaves.means().path;
        const auto end = co_await with.run_job("d=" + own +
            "/$(sed -n 's,^0::.*/,,p' /proc/self/cgroup)/in; mkdir -p $d/deep; (echo 0 > "
            "$d/deep/cgroup.procs; exec setsid sleep " +
            mark +
            ") & while [ -z \"$(cat $d/deep/cgroup.procs)\" ]; do sleep 0.01; done; echo up");
        CHECK(end.output.head == "up\n");
        CHECK(end.leftovers == 1);
        CHECK(testing::processes_with(mark) == 0);
    };
    with_rig(test, in_group(group.path()));
    CHECK(::rmdir(group.path().c_str()) == 0);
}

TEST_CASE("leaves: who leaves the leaf is still found by the mark")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const auto test = [&group](rig& with) -> aio::awaitable<> {
        const auto mark = testing::marker();
        const auto end = co_await with.run_job("(echo 0 > " + group.path() +
            "/cgroup.procs; touch up; env -i setsid sleep " + mark +
            " &); while [ ! -e up ]; do sleep 0.01; done; echo hi; exit 3");
        CHECK(end.exit_code == 3);
        CHECK(end.leftovers == 1);
        CHECK(testing::processes_with(mark) == 0);
    };
    with_rig(test, in_group(group.path()));
    CHECK(::rmdir(group.path().c_str()) == 0);
}

TEST_CASE("leaves: who left the leaf while others stayed is asked to end before he is killed")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const auto test = [&group](rig& with) -> aio::awaitable<> {
        const auto mark = testing::marker();
        const auto end =
            co_await with.run_job("(trap 'touch asked; exit' TERM; echo 0 > " + group.path() +
                "/cgroup.procs; touch up; while :; do sleep 0.05; done) & while [ ! -e "
                "up ]; do sleep 0.01; done; sleep " +
                mark + " & exit 3");
        CHECK(end.exit_code == 3);
        CHECK(testing::processes_with(mark) == 0);
        CHECK(::access((with.folder + "/asked").c_str(), F_OK) == 0);
    };
    auto slow = testing::patient();
    slow.cgroup = group.path();
    with_rig(test, slow);
}

TEST_CASE("leaves: who has removed every mark of his is still in the leaf")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const auto test = [](rig& with) -> aio::awaitable<> {
        const auto mark = testing::marker();
        const auto end = co_await with.run_job(
            "(env -i prlimit --locks=unlimited setsid sh -c 'trap \"\" TERM; touch up; sleep " +
            mark + "; sleep " + mark +
            "' &); while [ ! -e up ]; do sleep 0.01; done; echo hi; exit 3");
        CHECK(end.exit_code == 3);
        CHECK(end.leftovers >= 1);
        CHECK(testing::processes_with(mark) == 0);
    };
    with_rig(test, in_group(group.path()));
    CHECK(::rmdir(group.path().c_str()) == 0);
}

TEST_CASE("leaves: who ends between the look at a leaf and the watch on it is told of")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const testing::temp_folder folder;
    const base::unique_fd workdir{::open(folder.path().c_str(), O_RDONLY | O_CLOEXEC)};
    jobs::leaves all{group.path(), "/state", {}};
    REQUIRE(all.open());
    {
        const auto leaf = all.take();
        REQUIRE(leaf);
        jobs::children known{jobs::mark_space("/state")};
        jobs::launch_plan plan;
        plan.text = "exec sleep 300";
        plan.workdir_fd = workdir.get();
        plan.cgroup_fd = leaf->fd();
        const auto child = known.launch(std::move(plan));
        REQUIRE(child);
        jobs::tree processes{
            known, {.pid = -1}, "", &*leaf}; // that one is somebody beside the shell
        processes.look(false);
        CHECK(processes.living() == 1);
        const auto before = processes.next_sign();
        CHECK(before.fd);
        CHECK_FALSE(before.given);

        ::kill(child->id.pid, SIGKILL);
        known.reap(child->id, [&child] { ::waitpid(child->id.pid, nullptr, 0); });
        pollfd change{before.fd.get(), POLLPRI, 0};
        CHECK(::poll(&change, 1, 10'000) == 1);
        CHECK(processes.next_sign().given);
        processes.look(false);
        CHECK(processes.living() == 0);
    }
    all.close();
    CHECK(::rmdir(group.path().c_str()) == 0);
}

TEST_CASE("leaves: many commands at once get one each, and none is left")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const auto test = [](rig& with) -> aio::awaitable<> {
        std::vector<jobs::leaf> held;
        for (int i = 0; i < 100; ++i) {
            auto one = with.shared.leaves.take();
            REQUIRE(one);
            held.push_back(std::move(*one));
        }
        for (const auto& one : held)
            CHECK_FALSE(jobs::is_populated(one.fd()));
        co_return;
    };
    with_rig(test, in_group(group.path()));
    CHECK(::rmdir(group.path().c_str()) == 0);
}

TEST_CASE("leaves: when no leaf can be made the command runs all the same")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const auto test = [](rig& with) -> aio::awaitable<> {
        // Whoever may write there has taken the subtree away, leaves made ahead included.
        const auto path = with.shared.leaves.means().path;
        const auto taken = "cd " + path + " && rmdir job-* && cd .. && rmdir " + path;
        CHECK(::system(taken.c_str()) == 0);
        const auto mark = testing::marker();
        const auto end = co_await with.run_job("setsid sleep " + mark + " & echo hi; exit 3");
        CHECK(end.how == jobs::ended::completed);
        CHECK(end.exit_code == 3);
        CHECK(end.output.head == "hi\n");
        CHECK(end.leftovers == 1);
        CHECK(testing::processes_with(mark) == 0);
    };
    with_rig(test, in_group(group.path()));
    CHECK(::rmdir(group.path().c_str()) == 0);
}

TEST_CASE("leaves: a leaf that refuses births is no reason to run nothing")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    const testing::temp_folder folder;
    const base::unique_fd workdir{::open(folder.path().c_str(), O_RDONLY | O_CLOEXEC)};
    const base::unique_fd removed{::open(group.path().c_str(), O_RDONLY | O_CLOEXEC)};
    ::rmdir(group.path().c_str());
    jobs::launch_plan plan;
    plan.text = "exit 5";
    plan.workdir_fd = workdir.get();
    plan.cgroup_fd = removed.get();
    plan.only_in_cgroup = true; // but it is where a bound could not be held
    const auto refused = jobs::launch(plan);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text.starts_with("cannot start the command in its control group: "));
    plan.only_in_cgroup = false;
    const auto child = jobs::launch(plan);
    REQUIRE(child);
    CHECK(child->cgroup_error != 0);
    int status = 0;
    ::waitpid(child->id.pid, &status, 0);
    CHECK(WEXITSTATUS(status) == 5);
}

TEST_CASE("leaves: a launch into one that was made ahead costs about what one without does")
{
    const scratch_group group;
    if (!group.is_there())
        return;
    jobs::leaves all{group.path(), "/state", {}};
    REQUIRE(all.open());
    const testing::temp_folder folder;
    const base::unique_fd workdir{::open(folder.path().c_str(), O_RDONLY | O_CLOEXEC)};
    jobs::launch_plan plan;
    plan.text = "exit 0";
    plan.workdir_fd = workdir.get();
    const auto fastest = [&all, &plan](bool leaf) {
        auto shortest = std::chrono::steady_clock::duration::max();
        for (int i = 0; i < 50; ++i) {
            const auto began = std::chrono::steady_clock::now();
            const auto own = leaf ? all.take() : std::nullopt;
            plan.cgroup_fd = own ? own->fd() : -1;
            const auto child = jobs::launch(plan);
            shortest = std::min(shortest, std::chrono::steady_clock::now() - began);
            REQUIRE(child);
            CHECK(child->cgroup_error == 0);
            ::waitpid(child->id.pid, nullptr, 0);
            if (i % 8 == 0)
                all.tend();
        }
        return std::chrono::duration_cast<std::chrono::microseconds>(shortest);
    };
    const auto without = fastest(false);
    const auto with = fastest(true);
    MESSAGE(
        "fastest launch without a leaf: ", without.count(), " us, into one: ", with.count(), " us");
    all.close();
}
