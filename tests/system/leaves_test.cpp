// Nothing of a command outlives its end, seen from outside: each case runs in a PID namespace
// of its own, where the observer lists every process there is (number and start time) before
// and after. It shares nothing with how the daemon finds and kills: no marks, no groups, no
// parents, no names. Every case is run with control groups and without.
#include "tests/support/harness/paths.hpp"
#include "tests/support/harness/world.hpp"
#include "tests/system/scenario.hpp"

#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <set>
#include <sstream>
#include <tuple>

using namespace agentd::testing;
using namespace std::chrono_literals;

namespace {

constexpr const char* inside_variable = "AGENTD_TEST_INSIDE";

bool has_namespaces()
{
    program try_it;
    try_it.argv = {"/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "true"};
    try_it.env = {{"PATH", "/usr/bin:/bin"}};
    try_it.stderr_file = "/dev/null";
    return process{try_it}.wait(patience()) == 0;
}

// Runs this very case once more as the only program of a new PID namespace.
void run_again_inside()
{
    program again;
    again.argv = {"/usr/bin/unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
        "\"$@\"; exit $?", "sh", std::filesystem::read_symlink("/proc/self/exe").string(),
        std::string{"--test-case="} + doctest::getContextOptions()->currentTest->m_name};
    again.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {inside_variable, "1"}};
    for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS",
             "ASAN_SYMBOLIZER_PATH", "AGENTD_TEST_PATIENCE", "AGENTD_TEST_THREADS"})
        if (const char* value = std::getenv(name)) // NOLINT: tests set no environment
            again.env.emplace(name, value);
    process running{again};
    const auto output = running.read_all(patience() * 4);
    CHECK_MESSAGE(running.wait(patience()).value_or(-1) == 0, output);
}

void inside(const std::function<void()>& body)
{
    if (std::getenv(inside_variable) != nullptr) // NOLINT: tests set no environment
        body();
    else if (has_namespaces())
        run_again_inside();
    else
        std::puts("SKIP: this user may not make PID namespaces");
}

// --- the observer

struct seen {
    int pid;
    std::string start; // since boot; tells two processes with the same number apart
    std::string what;
    bool operator<(const seen& other) const
    {
        return std::tie(pid, start) < std::tie(other.pid, other.start);
    }
};
using census = std::set<seen>;

census everybody()
{
    census all;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        const auto name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != name.npos)
            continue;
        const auto stat = read_file("/proc/" + name + "/stat");
        const auto name_end = stat.rfind(')');
        if (name_end == stat.npos)
            continue;
        std::istringstream rest{stat.substr(name_end + 1)};
        std::string word;
        for (int field = 3; field <= 22; ++field)
            rest >> word;
        int pid = 0;
        std::from_chars(name.data(), name.data() + name.size(), pid);
        all.insert({pid, word, stat});
    }
    return all;
}

std::string difference(const census& before, const census& after)
{
    std::string text;
    for (const auto& one : after)
        if (!before.contains(one))
            text += "new: " + one.what;
    for (const auto& one : before)
        if (!after.contains(one))
            text += "gone: " + one.what;
    return text;
}

// The namespace's first process reaps what was reparented to it when it gets round to that: it is
// dead now, and this waits for its number. `beside`: a process that may be there.
std::string difference_when_reaped(const census& expected, int beside = 0)
{
    const auto until = std::chrono::steady_clock::now() + patience();
    for (;;) {
        auto after = everybody();
        std::erase_if(after, [beside](const seen& one) {
            return one.pid == beside || one.what.find(") Z ") != one.what.npos;
        });
        if (difference(expected, after).empty() || std::chrono::steady_clock::now() >= until)
            return difference(expected, after);
    }
}

// --- what is run

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

std::string config_of(std::string_view means)
{
    return fmt::format("wake_window_ms = 10\n[jobs]\ngrace_s = 1\ncgroup = \"{}\"\n", means);
}

js::value repeated(std::string_view prompt, std::vector<js::value> steps)
{
    js::object more;
    more["then"] = "repeat_last";
    return conversation(prompt, std::move(steps), std::move(more));
}

std::string each_shape()
{
    std::vector<js::value> all;
    for (const auto& one : shapes) {
        const std::string name{one.name};
        all.push_back(
            repeated("job: " + name, {step({background(one.text)}), step({say("Done.")})}));
        all.push_back(repeated(
            "bash: " + name, {step({use("bash", {{"command", one.text}})}), step({say("Done.")})}));
    }
    return scenario(std::move(all));
}

bool check_means(world& w, std::string_view asked)
{
    const auto info = w.json(200, "GET", "/v1/info").as_object();
    const auto& how = info.at("supervision").as_object();
    const auto& means = how.at("means").as_string();
    if (asked == "off") {
        CHECK(means == "subreaper");
        CHECK(how.at("path").is_null());
    } else if (means != "cgroup") {
        std::puts(
            ("SKIP: no control groups: " + std::string{how.at("reason").as_string()}).c_str());
        return false;
    } else {
        CHECK(std::filesystem::is_directory(std::string{how.at("path").as_string()}));
    }
    return true;
}

// Runs `test` in a daemon with each of the means.
void with_each_means(
    const std::string& scenario, const std::function<void(world&, const census&)>& test)
{
    for (const std::string means : {"off", "auto"}) {
        CAPTURE(means);
        world w{{.scenario = scenario, .config = config_of(means)}};
        if (!check_means(w, means))
            continue;
        const auto before = everybody();
        test(w, before);
        const auto log = w.log();
        CHECK(w.stop_daemon(SIGTERM) == 0);
        if (const auto at = log.find("cgroup in /"); at != log.npos) {
            const auto path = log.substr(at + 10, log.find_first_of(":\"", at) - at - 10);
            CHECK_MESSAGE(!std::filesystem::exists(path), path);
        }
    }
}

js::object only_job(world& w, const std::string& task)
{
    const auto page = w.json(200, "GET", "/v1/jobs?task_id=" + task);
    REQUIRE(page.at("items").as_array().size() == 1);
    return page.at("items").as_array().front().as_object();
}

void check_job(world& w, const std::string& name)
{
    const auto task = w.submit("job: " + name);
    CHECK(w.ended(task).at("state").as_string() == "succeeded");
    const auto job = only_job(w, task);
    const auto shown = js::serialize(job);
    CHECK_MESSAGE(job.at("state").as_string() == "completed", shown);
    CHECK_MESSAGE(job.at("exit_code").as_int64() == 3, shown);
    CHECK_MESSAGE(job.at("output_bytes").as_int64() == 3, shown);
}

void check_bash(world& w, const std::string& name)
{
    const auto task = w.submit("bash: " + name);
    CHECK(w.ended(task).at("state").as_string() == "succeeded");
    const auto told = last_user_text(w.requests().back());
    CHECK_MESSAGE(told.find("hi\n") != told.npos, told);
    CHECK_MESSAGE(told.find("[exit 3]") != told.npos, told);
    CHECK_MESSAGE(told.find("background_run") != told.npos, told); // that something was stopped
}

} // namespace

TEST_CASE("leaves: the observer finds a planted orphan and sees when it is gone")
{
    inside([] {
        const auto before = everybody();
        CHECK(before.size() >= 2); // the namespace's first process and this one
        CHECK(before.size() < 10); // and nobody else's
        // Double-forked, in a session of its own, without environment, name or parent of ours.
        CHECK(std::system("(env -i setsid sleep 300 &)") == 0);
        const auto with = everybody();
        CHECK(with.size() == before.size() + 1);
        const auto text = difference(before, with);
        CHECK_MESSAGE(text.starts_with("new: "), text);
        for (const auto& one : with)
            if (!before.contains(one))
                ::kill(one.pid, SIGKILL);
        const auto until = std::chrono::steady_clock::now() + patience();
        while (!difference(before, everybody()).empty() && std::chrono::steady_clock::now() < until)
            CHECK(everybody().size() >= before.size());
        CHECK(difference(before, everybody()).empty());
    });
}

TEST_CASE("leaves: what a job or a bash call leaves behind is gone when its end is told")
{
    inside([] {
        with_each_means(each_shape(), [](world& w, const census& before) {
            for (const auto& one : shapes) {
                const std::string name{one.name};
                CAPTURE(name);
                check_job(w, name);
                const auto after_job = difference(before, everybody());
                CHECK_MESSAGE(after_job.empty(), after_job);
                check_bash(w, name);
                const auto after_bash = difference(before, everybody());
                CHECK_MESSAGE(after_bash.empty(), after_bash);
            }
        });
    });
}

TEST_CASE("leaves: a kill is reported when the whole tree is gone")
{
    const auto* const text = "trap '' TERM; setsid sh -c 'sleep 300; sleep 300' & (env -i setsid "
                             "sleep 300 &); sleep 300 & kill -STOP $!; echo up; sleep 300";
    inside([text] {
        const auto scene =
            scenario({repeated("stop", {step({background(text)}), step({say("Done.")})})});
        with_each_means(scene, [](world& w, const census& before) {
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
        with_each_means(scene, [](world& w, const census& before) {
            const auto task = w.submit("many");
            w.await_event("task.waiting", task);
            const auto page = w.json(200, "GET", "/v1/jobs?task_id=" + task);
            for (const auto& job : page.at("items").as_array()) {
                const std::string id{job.at("id").as_string()};
                while (!w.call("GET", "/v1/jobs/" + id + "/output").body.ends_with("hi\n"))
                    CHECK(w.call("GET", "/v1/health").status == 200);
            }
            const int old = w.daemon().pid();
            CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
            CHECK(everybody().size() > before.size() + 6);
            w.start_daemon();
            auto expected = before;
            std::erase_if(expected, [old](const seen& one) { return one.pid == old; });
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
            world w{{.scenario = scene,
                .config = fmt::format("[jobs]\ngrace_s = 60\ncgroup = \"{}\"\n", means)}};
            if (!check_means(w, means))
                continue;
            auto expected = everybody();
            std::erase_if(expected, [&w](const seen& one) { return one.pid == w.daemon().pid(); });
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
