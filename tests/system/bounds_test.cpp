// What commands may use, over the whole path: asked for by a call or configured, met, and told
// the same in the notification, the API, the event and agentctl. Memory and processes need their
// controllers; where these are not ours, those cases are skipped with what is missing.
#include "tests/support/harness/world.hpp"
#include "tests/system/scenario.hpp"

#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>
#include <cstdio>

using namespace agentd::testing;

namespace {

// A job, and the task's end when it has been told of.
js::value runs_job(std::string_view prompt, js::object input)
{
    js::object more;
    more["then"] = "repeat_last";
    return conversation(prompt,
        {step({use("background_run", std::move(input))}), step({say("Done.")})}, std::move(more));
}

js::object job_of(world& w, const std::string& task)
{
    const auto page = w.json(200, "GET", "/v1/jobs?task_id=" + task);
    REQUIRE(page.at("items").as_array().size() == 1);
    return page.at("items").as_array().front().as_object();
}

std::string state_of(const js::object& task)
{
    return std::string{task.at("state").as_string()};
}

std::string text_of(const js::object& job, const char* field)
{
    return job.at(field).is_null() ? "" : std::string{job.at(field).as_string()};
}

// What the model was sent last.
std::string told(world& w, std::string_view prompt)
{
    return last_user_text(w.requests(std::string{prompt}).back());
}

bool can_bound(world& w, std::string_view controller)
{
    const auto info = js::serialize(w.json(200, "GET", "/v1/info").at("supervision"));
    if (info.find(fmt::format("\"{}\"", controller)) != std::string::npos)
        return true;
    std::puts(fmt::format("SKIP: no control groups with the controller {}", controller).c_str());
    return false;
}

void check_event_agrees(world& w, const std::string& task, const js::object& job)
{
    const auto event = w.await_event("job.finished", task);
    for (const char* field : {"state", "by", "reason", "exit_code", "signal", "oom", "wall_ms",
             "cpu_ms", "peak_bytes", "output_bytes"}) {
        CAPTURE(field);
        const auto* const there = event.if_contains(field);
        CHECK((there != nullptr ? *there : js::value{}) == job.at(field));
    }
}

} // namespace

TEST_CASE("bounds: the bill of a job is the same in all places")
{
    const std::string command =
        "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; "
        "head -c 300000000 /dev/zero | tail -c 300000000 | head -c 1 >/dev/null; "
        "printf 12345; exit 3";
    for (const std::string means : {"auto", "off"}) {
        CAPTURE(means);
        world w{{.scenario = scenario({runs_job("one", {{"command", command}})}),
            .config = "[jobs]\ncgroup = \"" + means + "\"\n"}};
        const auto task = w.submit("one");
        CHECK(state_of(w.ended(task)) == "succeeded");
        const auto job = job_of(w, task);
        CHECK(text_of(job, "state") == "completed");
        CHECK(job.at("exit_code").as_int64() == 3);
        CHECK(job.at("signal").is_null());
        CHECK(job.at("oom").as_bool() == false);
        CHECK(job.at("output_bytes").as_int64() == 5);
        const auto cpu = job.at("cpu_ms").as_int64();
        CHECK(cpu > 0);
        CHECK(4 * job.at("wall_ms").as_int64() >= cpu); // at most four processes at once
        REQUIRE_MESSAGE(!job.at("peak_bytes").is_null(), js::serialize(job));
        CHECK(job.at("peak_bytes").as_int64() > 290'000'000);
        check_event_agrees(w, task, job);
        const auto line = fmt::format("completed: exit 3 after {:.1f} s; 5 bytes of output; "
                                      "{:.1f} s of CPU time; {} bytes of memory; command: i=0;",
            static_cast<double>(job.at("wall_ms").as_int64()) / 1000.0,
            static_cast<double>(cpu) / 1000.0, job.at("peak_bytes").as_int64());
        CHECK_MESSAGE(told(w, "one").find(line) != std::string::npos, told(w, "one"));
        const auto listed = w.ctl({"jobs"}).out;
        CHECK_MESSAGE(listed.find(" CPU ") != std::string::npos, listed);
        CHECK_MESSAGE(listed.find(" exit 3 ") != std::string::npos, listed);
    }
}

TEST_CASE("bounds: who is killed by a bound is told with the bound, in all places")
{
    world w{{.scenario = scenario({
                 runs_job("prints", {{"command", "yes"}, {"max_output_bytes", 50'000}}),
                 runs_job("writes",
                     {{"command", "exec head -c 99999 /dev/zero >big"}, {"file_bytes", 4096}}),
                 runs_job("burns", {{"command", "while :; do :; done"}, {"cpu_s", 1}}),
             }),
        .config = "[jobs]\ngrace_s = 1\ncpu_s = 60\nmax_output_bytes = 60000\n"}};
    struct row {
        const char* prompt;
        const char* state;
        const char* by;
        const char* reason;
    };
    for (const row& one : {
             row{"prints", "killed", "disk", "wrote more than its 50000 bytes of output"},
             row{"writes", "killed", "disk", "wrote a file larger than its 4096 bytes"},
             row{"burns", "timeout", "", "used up its 1 s of CPU time"},
         }) {
        CAPTURE(one.prompt);
        const auto task = w.submit(one.prompt);
        CHECK(state_of(w.ended(task)) == "succeeded");
        const auto job = job_of(w, task);
        CHECK(text_of(job, "state") == one.state);
        CHECK(text_of(job, "by") == one.by);
        CHECK(text_of(job, "reason") == one.reason);
        check_event_agrees(w, task, job);
        const auto whom = std::string{one.by}.empty() ? "" : std::string{" by "} + one.by;
        const auto line = fmt::format("{}{}: {} after ", one.state, whom, one.reason);
        CHECK_MESSAGE(told(w, one.prompt).find(line) != std::string::npos, told(w, one.prompt));
        const auto listed = w.ctl({"jobs", "--task", task}).out;
        if (!whom.empty())
            CHECK_MESSAGE(listed.find(whom) != std::string::npos, listed);
        if (std::string{one.prompt} == "prints")
            CHECK(job.at("output_bytes").as_int64() == 50'000);
        if (std::string{one.prompt} == "burns")
            CHECK(job.at("cpu_ms").as_int64() >= 1000);
    }
    w.check_model_content();
}

TEST_CASE("bounds: a call cannot raise what is configured, nor ask for what is not enforced here")
{
    world w{{.scenario = scenario({
                 runs_job("raises", {{"command", "yes"}, {"max_output_bytes", 999'999}}),
                 runs_job("relies", {{"command", "touch ran"}, {"memory_bytes", 99'000'000}}),
             }),
        .config = "[jobs]\ngrace_s = 1\nmax_output_bytes = 1000\ncgroup = \"off\"\n"}};
    const auto task = w.submit("raises");
    CHECK(state_of(w.ended(task)) == "succeeded");
    CHECK(text_of(job_of(w, task), "reason") == "wrote more than its 1000 bytes of output");
    const auto other = w.submit("relies");
    CHECK(state_of(w.ended(other)) == "succeeded");
    CHECK(told(w, "relies").find("Error: field \"memory_bytes\": cannot be enforced here") !=
        std::string::npos);
    CHECK(w.json(200, "GET", "/v1/jobs?task_id=" + other).at("items").as_array().empty());
}

TEST_CASE("bounds: a session's CPU time is one sum for all its jobs, also after a restart")
{
    js::object repeats;
    repeats["then"] = "repeat_last";
    const auto burns = conversation("burn",
        {step({background("while :; do :; done")}), step({use("wait_background", {})}),
            step({say("Burnt.")}), step({background("touch more")}), step({say("Done.")})},
        std::move(repeats));
    world w{{.scenario = scenario({
                 burns,
                 runs_job("elsewhere", {{"command", "touch more"}}),
             }),
        .config = "[jobs]\ngrace_s = 1\nsession_cpu_s = 1\n"}};
    const auto first = w.submit("burn");
    const auto ended = w.ended(first);
    CHECK(state_of(ended) == "succeeded");
    const std::string used_up = "the session has used up its 1 s of CPU time";
    CHECK(text_of(job_of(w, first), "state") == "timeout");
    CHECK(text_of(job_of(w, first), "reason") == used_up);
    CHECK(w.stop_daemon(SIGTERM) == 0);
    w.start_daemon();
    const auto next = w.submit("go on", {{"session_id", ended.at("session_id")}});
    CHECK(state_of(w.ended(next)) == "succeeded");
    CHECK(w.json(200, "GET", "/v1/jobs?task_id=" + next).at("items").as_array().empty());
    const auto other = w.submit("elsewhere");
    CHECK(state_of(w.ended(other)) == "succeeded");
    CHECK(text_of(job_of(w, other), "state") == "completed");
    bool heard = false;
    for (const auto& request : w.requests())
        heard = heard || last_user_text(request).find("Error: " + used_up) != std::string::npos;
    CHECK(heard);
}

TEST_CASE("bounds: caps on running jobs are in force from the next reload on")
{
    js::object patient;
    patient["then"] = "repeat_last";
    world w{{.scenario = scenario({conversation("two",
                 {step({background("exec sleep 300"), background("exec sleep 300")}),
                     step({say("Waiting.")})},
                 std::move(patient))}),
        .config = "[jobs]\ngrace_s = 1\nper_session = 1\n"}};
    const auto task = w.submit("two");
    w.await_event("task.waiting", task);
    const auto running = [&w] {
        return w.json(200, "GET", "/v1/jobs?state=running").at("items").as_array().size();
    };
    CHECK(running() == 1);
    const auto file = w.folder() + "/agentd.toml";
    auto text = read_file(file);
    text.replace(text.find("per_session = 1"), 15, "per_session = 2");
    write_file(file, text);
    REQUIRE(::kill(w.daemon().pid(), SIGHUP) == 0);
    const auto reloaded = w.await_event("daemon.reloaded");
    CHECK(reloaded.if_contains("needs_restart") == nullptr);
    while (running() != 2) { // the test's time-out is the limit
    }
    CHECK(w.call("POST", "/v1/tasks/" + task + "/cancel").status == 202);
    CHECK(state_of(w.ended(task)) == "cancelled");
}

TEST_CASE("bounds: memory and processes, of a command and of a session")
{
    const std::string eats = "head -c 300000000 /dev/zero | tail -c 300000000 | wc -c";
    const std::string forks =
        "i=0; while [ $i -lt 40 ]; do sleep 300 & i=$((i+1)); done; echo all; exit 0";
    world w{{.scenario = scenario({
                 runs_job("eats much", {{"command", eats}}),
                 runs_job("eats less", {{"command", eats}, {"memory_bytes", 50'000'000}}),
                 runs_job("forks much", {{"command", forks}}),
                 runs_job("forks less", {{"command", forks}, {"processes", 10}}),
             }),
        .config =
            "[jobs]\ngrace_s = 1\nsession_memory_bytes = 100000000\nsession_processes = 30\n"}};
    if (can_bound(w, "memory")) {
        for (const char* prompt : {"eats much", "eats less"}) {
            const auto task = w.submit(prompt);
            CHECK(state_of(w.ended(task)) == "succeeded");
            const auto job = job_of(w, task);
            const auto shown = js::serialize(job);
            CHECK_MESSAGE(text_of(job, "state") == "killed", shown);
            CHECK_MESSAGE(text_of(job, "by") == "memory", shown);
            CHECK_MESSAGE(job.at("oom").as_bool(), shown);
            const bool own = std::string{prompt} == "eats less";
            CHECK_MESSAGE(
                job.at("peak_bytes").as_int64() <= (own ? 50'000'000 : 100'000'000), shown);
            CHECK_MESSAGE(text_of(job, "reason") ==
                    (own ? "needed more than its 50000000 bytes of memory"
                         : "the session needed more than its 100000000 bytes of memory"),
                shown);
            check_event_agrees(w, task, job);
            CHECK(told(w, prompt).find("; memory ran out; ") != std::string::npos);
        }
    } else {
        CHECK(w.log().find("jobs.session_memory_bytes is not enforced") != std::string::npos);
    }
    if (can_bound(w, "pids")) {
        for (const char* prompt : {"forks much", "forks less"}) {
            const auto task = w.submit(prompt);
            CHECK(state_of(w.ended(task)) == "succeeded");
            const auto job = job_of(w, task);
            CHECK(text_of(job, "state") == "completed");
            CHECK(job.at("exit_code").as_int64() != 0); // a fork failed
            CHECK(told(w, prompt).find("| all") == std::string::npos);
        }
    } else {
        CHECK(w.log().find("jobs.session_processes is not enforced") != std::string::npos);
    }
}

TEST_CASE("bounds: output and logs of a session are one sum for all its jobs, after a restart, too")
{
    js::object repeats;
    repeats["then"] = "repeat_last";
    const auto writes = conversation("write",
        {step({background("head -c 6000 /dev/zero | tr '\\0' x")}),
            step({use("wait_background", {})}), step({say("Written.")}),
            step({background("head -c 6000 /dev/zero | tr '\\0' y")}),
            step({use("wait_background", {})}), step({say("Done.")}), step({background("true")}),
            step({say("Done.")})},
        std::move(repeats));
    world w{{.scenario = scenario({writes}),
        .config = "[jobs]\nsession_output_bytes = 11000\nsession_log_bytes = 8192\n"}};
    const auto first = w.submit("write");
    const auto ended = w.ended(first);
    CHECK(text_of(job_of(w, first), "state") == "completed");
    const auto id = text_of(job_of(w, first), "id");
    CHECK(w.call("GET", "/v1/jobs/" + id + "/output").body.size() == 6000);
    CHECK(w.stop_daemon(SIGTERM) == 0);
    w.start_daemon();
    const auto next = w.submit("go on", {{"session_id", ended.at("session_id")}});
    CHECK(state_of(w.ended(next)) == "succeeded");
    const auto job = job_of(w, next);
    CHECK(text_of(job, "by") == "disk");
    CHECK(job.at("output_bytes") == 5000);
    CHECK(w.call("GET", "/v1/jobs/" + id + "/output").body.empty()); // dropped for the second one
    const auto third = w.submit("go on", {{"session_id", ended.at("session_id")}});
    CHECK(state_of(w.ended(third)) == "succeeded");
    CHECK(w.json(200, "GET", "/v1/jobs?task_id=" + third).at("items").as_array().empty());
}
