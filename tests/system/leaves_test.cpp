// What must be gone when something else than a command's own end ends it, seen by the observer
// (observer.hpp): a kill by the user, the daemon's own death, a stop that was asked for twice.
// Each with control groups and without.
#include "tests/support/harness/paths.hpp"
#include "tests/support/harness/world.hpp"
#include "tests/system/observer.hpp"
#include "tests/system/scenario.hpp"

#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <csignal>

using namespace agentd::testing;
using namespace std::chrono_literals;

namespace {

struct shape {
    const char* name;
    const char* text; // prints "hi", exits with 3, leaves something behind
};

const shape shapes[] = {
    {"a child", "sleep 300 & echo hi; exit 3"},
    {"a session of its own that holds the pipe", "setsid sleep 300 >&1 & echo hi; exit 3"},
    {"a double fork", "(setsid sh -c 'sleep 300 & sleep 300' &); echo hi; exit 3"},
    {"a tree that ignores TERM",
        "(trap '' TERM; setsid sh -c 'sleep 300 & sleep 300' & exec sleep 300) & sleep 0.1; "
        "echo hi; exit 3"},
    {"a stopped tree",
        "(setsid sh -c 'sleep 300 & kill -STOP $! $$' &); sleep 0.1; echo hi; exit 3"},
    {"a cleared environment",
        "(env -i setsid sleep 300 </dev/null >/dev/null 2>&1 &); echo hi; exit 3"},
};

constexpr const char* short_grace = "grace_s = 1\n";

js::value repeated(std::string_view prompt, std::vector<js::value> steps)
{
    js::object more;
    more["then"] = "repeat_last";
    return conversation(prompt, std::move(steps), std::move(more));
}

js::object only_job(world& w, const std::string& task)
{
    const auto page = w.json(200, "GET", "/v1/jobs?task_id=" + task);
    REQUIRE(page.at("items").as_array().size() == 1);
    return page.at("items").as_array().front().as_object();
}

} // namespace

TEST_CASE("leaves: a kill is reported when the whole tree is gone")
{
    const auto* const text = "trap '' TERM; setsid sh -c 'sleep 300; sleep 300' & (env -i setsid "
                             "sleep 300 &); sleep 300 & kill -STOP $!; echo up; sleep 300";
    inside([text] {
        const auto scene =
            scenario({repeated("stop", {step({background(text)}), step({say("Done.")})})});
        with_each_means(scene, short_grace, [](world& w, const census& before) {
            const auto task = w.submit("stop");
            w.await_event("task.waiting", task);
            const std::string id{only_job(w, task).at("id").as_string()};
            while (w.call("GET", "/v1/jobs/" + id + "/output").body != "up\n")
                CHECK(w.call("GET", "/v1/health").status == 200);
            CHECK(everybody().size() > before.size() + 3);
            const auto began = std::chrono::steady_clock::now();
            CHECK(w.call("POST", "/v1/jobs/" + id + "/kill").status < 300);
            const auto rest = difference(before, everybody());
            CHECK_MESSAGE(rest.empty(), rest);
            const auto took = std::chrono::steady_clock::now() - began;
            MESSAGE("gone after ",
                std::chrono::duration_cast<std::chrono::milliseconds>(took).count(),
                " ms, grace 1000 ms");
            CHECK(took < 1s + 5s); // 500 ms beyond the grace is for a machine at rest
            const auto job = js::serialize(only_job(w, task));
            CHECK_MESSAGE(job.find("\"killed\"") != job.npos, job);
            CHECK_MESSAGE(job.find("\"user\"") != job.npos, job);
            CHECK(w.ended(task).at("state").as_string() == "succeeded");
        });
    });
}

TEST_CASE("leaves: what a killed daemon leaves behind is gone when it is back")
{
    inside([] {
        std::vector<js::value> jobs;
        for (const auto& one : shapes) // each shell stays: the daemon ends under it
            jobs.push_back(background(std::string{"echo up; "} +
                std::string{one.text}.replace(
                    std::string{one.text}.find("exit 3"), 6, "sleep 300")));
        const auto scene = scenario({repeated("many", {step(jobs), step({say("Done.")})})});
        with_each_means(scene, short_grace, [](world& w, const census& before) {
            const auto task = w.submit("many");
            w.await_event("task.waiting", task);
            const auto page = w.json(200, "GET", "/v1/jobs?task_id=" + task);
            for (const auto& job : page.at("items").as_array()) {
                const std::string id{job.at("id").as_string()};
                while (!w.call("GET", "/v1/jobs/" + id + "/output").body.ends_with("hi\n"))
                    CHECK(w.call("GET", "/v1/health").status == 200);
            }
            const int old = w.daemon().pid();
            const auto expected = without(before, old);
            CHECK(::kill(watcher_of(old), SIGKILL) == 0); // that it is the start that ends them
            CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
            CHECK(everybody().size() > before.size() + 6);
            w.start_daemon();
            const auto rest = difference_when_reaped(expected, w.daemon().pid());
            CHECK_MESSAGE(rest.empty(), rest);
            w.ended(task);
            for (const auto& job :
                w.json(200, "GET", "/v1/jobs?task_id=" + task).at("items").as_array())
                CHECK(job.at("state").as_string() == "lost");
        });
    });
}

TEST_CASE("leaves: a daemon that is asked a second time to stop leaves nobody behind")
{
    inside([] {
        const auto* const text = "trap '' TERM; (env -i setsid sleep 300 &); echo up; sleep 300";
        const auto scene =
            scenario({repeated("stop", {step({background(text)}), step({say("Done.")})})});
        for (const std::string means : {"off", "auto"}) {
            CAPTURE(means);
            const cgroup_setting setting{means};
            world w{{.scenario = scene,
                .config = fmt::format("[jobs]\ngrace_s = 45\ncgroup = \"{}\"\n", setting.value())}};
            if (!check_means(w, means))
                continue;
            const auto expected = without(everybody(), w.daemon().pid());
            const auto task = w.submit("stop");
            w.await_event("task.waiting", task);
            const std::string id{only_job(w, task).at("id").as_string()};
            while (w.call("GET", "/v1/jobs/" + id + "/output").body != "up\n")
                CHECK(w.call("GET", "/v1/health").status == 200);
            w.daemon().signal(SIGTERM);
            const auto until = std::chrono::steady_clock::now() + patience();
            while (w.log().find("daemon.stopping") == std::string::npos &&
                std::chrono::steady_clock::now() < until)
                CHECK_FALSE(w.daemon().wait(1ms));
            CHECK(w.stop_daemon(SIGTERM) == 1);
            const auto rest = difference_when_reaped(expected);
            CHECK_MESSAGE(rest.empty(), rest);
            w.start_daemon(); // removes the control groups
            CHECK(w.stop_daemon(SIGTERM) == 0);
        }
    });
}

TEST_CASE("leaves: a control group that cannot be used is an error at start")
{
    world w{{.scenario = scenario({repeated("none", {step({say("Never.")})})}),
        .config = "[jobs]\ncgroup = \"/tmp\"\n",
        .start = false}};
    program daemon;
    daemon.argv = {agentd_path, "--config", w.folder() + "/agentd.toml", "--socket", w.socket(),
        "--state-dir", w.state_folder()};
    daemon.env = {{"PATH", "/usr/bin:/bin"}, {"HOME", w.folder()}};
    daemon.stderr_file = w.folder() + "/agentd.log";
    process running{daemon};
    CHECK(running.wait(patience()) == 1);
    CHECK_MESSAGE(
        w.log().find("cannot use jobs.cgroup = /tmp: /tmp is no control group of cgroup2") !=
            std::string::npos,
        w.log());
}
