// What becomes of a command when the kernel refuses one of the calls on its way: the rows of
// fault_rows.cpp, from the launch to the end of the tree, in the real daemon. After each, nobody
// and nothing is left and the next command runs. Every row with control groups and without.
// In need of strace and the right to trace; run alone, in the release build.
#include "tests/support/harness/world.hpp"
#include "tests/system/fault_rows.hpp"
#include "tests/system/observer.hpp"
#include "tests/system/remains.hpp"
#include "tests/system/scenario.hpp"
#include "tests/system/tracer.hpp"

#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>

using namespace agentd::testing;

namespace {

// The daemon's bound of descriptors, replaced by `next`.
rlimit limit_of(pid_t daemon, const rlimit* next = nullptr)
{
    rlimit now{};
    REQUIRE(::prlimit(daemon, RLIMIT_NOFILE, next, &now) == 0);
    return now;
}

// --- one row

js::value held(const row& one)
{
    js::object input;
    input["command"] = one.text;
    if (one.asks != nullptr)
        input[one.asks] = one.bound != 0 ? js::value(one.bound) : js::value(true);
    auto call = use(one.tool == by::job ? "background_run" : "bash", std::move(input));
    js::object more;
    js::object reply;
    reply["hold"] = one.name;
    more["reply"] = std::move(reply);
    js::object repeated;
    repeated["then"] = "repeat_last";
    return conversation(std::string{"<"} + one.name + ">",
        {step({std::move(call)}, std::move(more)), step({say("Done.")})}, std::move(repeated));
}

std::string scenario_of(const std::vector<row>& rows)
{
    std::vector<js::value> all;
    for (const auto& one : rows)
        all.push_back(held(one));
    js::object repeated;
    repeated["then"] = "repeat_last";
    all.push_back(conversation("<afterwards>",
        {step({background("echo well")}), step({use("bash", {{"command", "echo bell"}})}),
            step({say("Done.")})},
        std::move(repeated)));
    return scenario(std::move(all));
}

std::string url_encoded(std::string_view text)
{
    std::string all;
    for (const char c : text)
        all += c == ' ' ? std::string{"%20"} : std::string{c};
    return all;
}

// Where the next terminal is going to be.
std::string next_terminal()
{
    int number = 0;
    while (std::filesystem::exists("/dev/pts/" + std::to_string(number)))
        ++number;
    return "/dev/pts/" + std::to_string(number);
}

class bench {
public:
    explicit bench(world& w) : w_(w)
    {
        const auto info = w.json(200, "GET", "/v1/info");
        const auto& how = info.at("supervision").as_object();
        if (how.at("path").is_string())
            subtree_ = how.at("path").as_string();
        reason_ = how.at("reason").as_string();
        run_next_command();
        open_ = descriptors(w.daemon().pid());
        children_ = children(w.daemon().pid());
    }

    [[nodiscard]] bool has_groups() const { return !subtree_.empty(); }
    [[nodiscard]] const std::string& reason() const { return reason_; }

    // False: nothing can be traced here.
    bool run(const row& one)
    {
        const std::string name{one.name};
        CAPTURE(name);
        const auto log_before = w_.log().size();
        const auto task = w_.submit(std::string{"<"} + one.name + ">");
        w_.await_model("held=" + url_encoded(one.name));
        auto what = one.what;
        for (auto& path : what.paths)
            if (path.starts_with("STATE"))
                path.replace(0, 5, w_.state_folder());
            else if (path == "PTS")
                path = next_terminal();
        tracer faulty{w_.daemon().pid(), what, w_.folder() + "/strace.log"};
        if (!faulty.refusal().empty()) {
            std::puts(("SKIP: " + faulty.refusal()).c_str());
            w_.release(url_encoded(one.name));
            return false;
        }
        w_.release(url_encoded(one.name));
        check_hit(one, faulty); // before the daemon is asked, which would make calls of its own
        const auto end = w_.ended(task);
        faulty.detach();
        CHECK(end.at("state").as_string() == "succeeded");
        check_told(one, task);
        if (one.log != nullptr)
            CHECK_MESSAGE(w_.log().find(one.log, log_before) != std::string::npos,
                w_.log().substr(log_before));
        check_nothing_left(std::string{end.at("session_id").as_string()});
        run_next_command();
        return true;
    }

private:
    static void check_hit(const row& one, const tracer& faulty)
    {
        const auto wrong = soon_empty([&] {
            const auto failed = faulty.failed();
            return failed.find(one.hit) != failed.npos ? "" : "not what failed: " + failed;
        });
        CHECK(wrong == "");
    }

    void check_told(const row& one, const std::string& task)
    {
        const auto shown = w_.json(200, "GET", "/v1/jobs?task_id=" + task);
        const auto& jobs = shown.at("items").as_array();
        std::string told;
        for (const auto& request : w_.requests(url_encoded(std::string{"<"} + one.name + ">")))
            told += last_user_text(request);
        if (one.reason != nullptr)
            CHECK_MESSAGE(told.find(one.reason) != std::string::npos, told);
        else
            CHECK_MESSAGE(told.find("hi\n") != std::string::npos, told);
        if (one.tool == by::bash || jobs.empty()) {
            CHECK(jobs.empty());
            CHECK(one.reason != nullptr);
            CHECK_MESSAGE(told.find("Error: ") != std::string::npos, told);
            return;
        }
        REQUIRE(jobs.size() == 1);
        check_job(one, jobs.front().as_object());
        const auto events = w_.events("&types=job.finished&task_id=" + task);
        REQUIRE(events.size() == 1);
        check_event(one, events.front());
    }

    static void check_job(const row& one, const js::object& job)
    {
        const auto shown = js::serialize(job);
        if (one.reason != nullptr) {
            CHECK_MESSAGE(job.at("state").as_string() == "error", shown);
            CHECK_MESSAGE(job.at("reason").as_string() == one.reason, shown);
            CHECK_MESSAGE(job.at("exit_code").is_null(), shown);
            return;
        }
        CHECK_MESSAGE(job.at("state").as_string() == "completed", shown);
        CHECK_MESSAGE(job.at("exit_code") == 3, shown);
        CHECK_MESSAGE(job.at("output_bytes") == 3, shown);
        CHECK_MESSAGE(job.at("gap").is_null() == !one.gap, shown);
    }

    static void check_event(const row& one, const js::object& event)
    {
        const auto shown = js::serialize(event);
        if (one.reason != nullptr)
            CHECK_MESSAGE(event.at("reason").as_string() == one.reason, shown);
        else
            CHECK_MESSAGE(event.at("state").as_string() == "completed", shown);
    }

    void check_nothing_left(const std::string& session)
    {
        const auto daemon = w_.daemon().pid();
        CHECK(soon_empty([&] { return more_than(children_, children(daemon)); }) == "");
        CHECK(soon_empty([&] { return marked("AGENTD_SESSION_ID=" + session); }) == "");
        CHECK(soon_empty([&] { return populated_groups(subtree_); }) == "");
        if (!open_.empty())
            CHECK(soon_empty([&] { return difference(open_, descriptors(daemon)); }) == "");
    }

    void run_next_command()
    {
        const auto task = w_.submit("<afterwards>");
        CHECK(w_.ended(task).at("state").as_string() == "succeeded");
        const auto shown = w_.json(200, "GET", "/v1/jobs?task_id=" + task);
        const auto& jobs = shown.at("items").as_array();
        REQUIRE(jobs.size() == 1);
        CHECK(jobs.front().at("exit_code") == 0);
        CHECK(jobs.front().at("output_bytes") == 5);
        CHECK(last_user_text(w_.requests(url_encoded("<afterwards>")).back()).find("ell\n") !=
            std::string::npos);
    }

    world& w_;
    std::string subtree_, reason_;
    std::map<std::string, int> open_;
    std::string children_; // the watcher, who stays
};

void run_all(const std::vector<row>& rows)
{
    if (daemon_threads() != 1) {
        std::puts("SKIP: one thread of the daemon supervises, else nobody knows which");
        return;
    }
    for (const std::string means : {"auto", "off"}) {
        CAPTURE(means);
        const cgroup_setting setting{means};
        // One place alone: who keeps it keeps all that come after.
        world w{{.scenario = scenario_of(rows),
            .config = fmt::format("wake_window_ms = 10\n[jobs]\ngrace_s = 1\nper_daemon = "
                                  "1\nper_session = 1\ncgroup = \"{}\"\n",
                setting.value())}};
        bench each{w};
        if (means == "auto" && !each.has_groups()) {
            skip_without_groups(each.reason());
            continue;
        }
        for (const auto& one : rows) {
            const bool fits =
                one.means == with::both || (one.means == with::groups) == (means == "auto");
            if (fits && !each.run(one))
                return;
        }
        CHECK(w.stop_daemon(SIGTERM) == 0);
    }
}

} // namespace

TEST_CASE("faults: a call that is refused while a command is launched")
{
    run_all(faults_of_launching());
}

TEST_CASE("faults: a call that is refused in the child")
{
    run_all(faults_in_the_child());
}

TEST_CASE("faults: a call that is refused for what a job has asked for")
{
    run_all(faults_of_input_and_bounds());
}

TEST_CASE("faults: a call that is refused while a tree is watched and ended")
{
    run_all(faults_of_ending());
}

TEST_CASE("faults: a call that is refused while output is kept")
{
    run_all(faults_of_keeping_output());
}

TEST_CASE("faults: without descriptors nothing is started, and what runs is ended all the same")
{
    for (const std::string means : {"auto", "off"}) {
        CAPTURE(means);
        const cgroup_setting setting{means};
        js::object held;
        js::object reply;
        reply["hold"] = "second";
        held["reply"] = std::move(reply);
        world w{{.scenario = scenario({conversation("<stay>",
                     {step({background("trap '' TERM; setsid sleep 300 & echo hi; sleep 300")}),
                         step({use("bash", {{"command", "echo never"}})}, std::move(held)),
                         step({say("Done.")}), step({say("Done.")})})}),
            .config = "[jobs]\ngrace_s = 1\ncgroup = \"" + setting.value() + "\"\n"}};
        if (!check_means(w, means))
            continue;
        const auto watcher = children(w.daemon().pid());
        const auto task = w.submit("<stay>");
        w.await_model("held=second");
        const auto job = [&w, &task] {
            return w.json(200, "GET", "/v1/jobs?task_id=" + task).at("items").at(0).as_object();
        };
        const auto id = std::string{job().at("id").as_string()};
        const auto silent = soon_empty([&] {
            const auto output = w.call("GET", "/v1/jobs/" + id + "/output").body;
            return output == "hi\n" ? std::string{} : "its output: " + output;
        });
        REQUIRE(silent == "");

        const rlimit none{0, limit_of(w.daemon().pid()).rlim_max};
        const auto before = limit_of(w.daemon().pid(), &none);
        w.release("second");
        CHECK(w.call("POST", "/v1/jobs/" + id + "/kill").status < 300);
        const auto left = soon_empty(
            [&] { return job().at("ended_at").is_null() ? std::string{"it runs"} : marked(id); });
        CHECK(left == "");
        limit_of(w.daemon().pid(), &before);

        const auto end = job();
        CHECK(end.at("state").as_string() == "killed");
        CHECK(end.at("by").as_string() == "user");
        CHECK(w.ended(task).at("state").as_string() == "succeeded");
        const auto told = last_user_text(w.requests().at(2));
        CHECK_MESSAGE(
            told.find("Error: cannot open /dev/null: Too many open files") != told.npos, told);
        CHECK(more_than(watcher, children(w.daemon().pid())) == "");
    }
}
