// The disk under the state of a running daemon is full: a real one, mounted over the state
// folder, where this test may mount. (Calls that fail: matrix_test.cpp.)
#include "tests/system/evidence.hpp"
#include "tests/system/mounted.hpp"
#include "tests/system/remains.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>

using namespace agentd::testing;

namespace {

std::string story()
{
    js::object held;
    held["reply"] = {{"hold", "reply"}};
    js::object more;
    more["then"] = "repeat_last";
    return scenario({conversation("hello", {step({say("Hello.")})}, std::move(more)),
        interrupted("answered later", {step({say("Answered.")}, held)}),
        interrupted("cancelled",
            {step({background("sleep 300")}), step({use("bash", {{"command", "sleep 300"}})})})});
}

std::vector<std::string> degraded(world& w)
{
    std::vector<std::string> all;
    for (const auto& reason : w.json(200, "GET", "/v1/info").at("degraded").as_array())
        all.emplace_back(reason.as_string());
    return all;
}

void fill(const std::string& folder)
{
    std::ofstream file{folder + "/filler", std::ios::binary};
    const std::string page(4096, 'x');
    while (file.write(page.data(), static_cast<std::streamsize>(page.size())).flush())
        ;
}

// Submits until the disk refuses; the refusal, and those that were answered.
http_reply submit_until_refused(world& w, std::vector<std::string>& answered)
{
    const auto body = js::serialize(
        js::value{{"prompt", "hello " + std::string(20'000, 'x')}, {"workdir", w.workspace()}});
    for (int i = 0; i < 200; ++i) {
        auto reply = w.call("POST", "/v1/tasks", body);
        if (reply.status != 202)
            return reply;
        answered.emplace_back(js::parse(reply.body).at("id").as_string());
    }
    FAIL("the disk does not get full");
    return {};
}

} // namespace

TEST_CASE("full disk: agentd reads and cancels, refuses the rest with 507, and goes on with room")
{
    world w{{.scenario = story(), .start = false}};
    std::filesystem::create_directory(w.state_folder());
    const mounted disk{w.state_folder(), "tmpfs", "size=16m"};
    if (!disk.is_there())
        return;
    w.start_daemon();
    const auto later = w.submit("answered later");
    const auto cancelled = w.submit("cancelled");
    w.await_event("tool.started", cancelled);
    const auto job = std::string{w.await_event("job.started", cancelled).at("job_id").as_string()};
    CHECK(degraded(w).empty());
    fill(w.state_folder());

    std::vector<std::string> answered;
    const auto refused = submit_until_refused(w, answered);
    CHECK(refused.status == 507);
    CHECK_MESSAGE(
        refused.body.find("urn:agentd:problem:storage_full") != std::string::npos, refused.body);
    REQUIRE(degraded(w).size() == 1);
    CHECK(degraded(w)[0].starts_with("the state cannot be written: the disk is full"));
    CHECK(w.json(200, "GET", "/v1/health").at("status") == "degraded");
    CHECK(w.ctl({"submit", "hello"}).code == 7);
    const auto message = w.call("POST", "/v1/tasks/" + later + "/messages", R"({"text":"x"})");
    CHECK(message.status == 507);
    // Reading goes on, and what runs can be ended; its end is stored, in the room for that.
    CHECK(state_of(w.task(later)) == "running");
    CHECK(w.call("POST", "/v1/tasks/" + cancelled + "/cancel").status == 202);
    CHECK(state_of(w.ended(cancelled)) == "cancelled");
    CHECK(soon_empty([&job] { return marked("AGENTD_JOB_ID=" + job); }) == "");
    w.release("reply"); // has to be stored, and waits for that
    CHECK(w.ctl({"submit", "hello"}).code == 7);

    std::filesystem::remove(w.state_folder() + "/filler");
    const auto over = w.await_event("daemon.restored");
    CHECK(over.at("degraded_ms").as_int64() >= 0);
    CHECK(degraded(w).empty());
    const auto told = w.events("&types=daemon.degraded");
    REQUIRE(told.size() == 1);
    CHECK(told[0].at("reasons") == over.at("reasons"));
    CHECK(state_of(w.ended(later)) == "succeeded");
    answered.push_back(w.submit("hello"));
    for (const auto& task : answered)
        CHECK(state_of(w.ended(task)) == "succeeded");
    check_gapless(w);
    CHECK(count_of(w.log(), "\"event\":\"store.degraded\"") == 1);
    CHECK(count_of(w.log(), "\"event\":\"store.recovered\"") == 1);
    w.stop_daemon(SIGKILL);
    w.start_daemon();
    CHECK(state_of(w.task(cancelled)) == "cancelled");
}

TEST_CASE("full disk: a stop does not wait for it, and leaves what a kill would leave")
{
    world w{{.scenario = story(), .config = "[jobs]\ngrace_s = 0\n", .start = false}};
    std::filesystem::create_directory(w.state_folder());
    const mounted disk{w.state_folder(), "tmpfs", "size=16m"};
    if (!disk.is_there())
        return;
    w.start_daemon();
    const auto task = w.submit("cancelled");
    w.await_event("tool.started", task);
    fill(w.state_folder());
    std::vector<std::string> answered;
    CHECK(submit_until_refused(w, answered).status == 507);
    const auto begun = std::chrono::steady_clock::now();
    CHECK(w.stop_daemon(SIGTERM) <= 1); // what could not be stored is given up
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds{20});
    CHECK(marked("AGENTD_TASK_ID=" + task) == "");
    std::filesystem::remove(w.state_folder() + "/filler");
    w.start_daemon();
    for (const auto& one : answered)
        CHECK(state_of(w.ended(one)) == "succeeded");
    CHECK(w.task(task).at("ended_at").is_null()); // it goes on
    check_gapless(w);
    CHECK(w.call("POST", "/v1/tasks/" + task + "/cancel").status == 202);
}
