// The daemon dies before and behind each commit that there is (store::step), and nothing that
// it had answered is lost, done twice or told twice. The list is the enum's own.
#include "store/step.hpp" // allow(check-layers): the list of all commits, no class
#include "tests/support/harness/paths.hpp"
#include "tests/system/stubborn_client.hpp"
#include "tests/system/window.hpp"

#include <boost/json/parse.hpp>

#include <sqlite3.h>

#include <csignal>
#include <filesystem>

using namespace agentd::testing;

namespace {

using agentd::store::step_count;

// Whatever the death cost, each of these comes to its end: the last step serves for ever.
std::string all_ways()
{
    return scenario({
        interrupted("SUMMARY", {step({say("Compacted.")})}),
        interrupted("long haul",
            {step({bash("echo one")}, counting(full)), step({say("SUMMARY: one was echoed.")})}),
        interrupted("whole life",
            {step({bash("echo now"), use("write_file", {{"path", "f"}, {"content", "x"}}),
                 background("echo first"),
                 background("while [ ! -e gate ]; do sleep 0.01; done; echo second")}),
                step({say("I wait.")}), step({say("Told.")})}),
        interrupted("question",
            {step({use(
                 "background_run", {{"command", "read x"}, {"stdin", true}, {"timeout_s", 3}})}),
                step({say("I wait.")}), step({say("Nobody answers.")})}),
        interrupted("never", {step({say("Never.")}, holding("ever"))}),
        interrupted("short", {step({say("Short.")})}),
    });
}

// One client's day, in which every step is made; what it was answered.
struct day {
    stubborn_client& client;
    world& w;
    std::string whole, never, haul, brief;
    std::string after_kill; // the point at which the daemon dies that is started after a SIGKILL
    bool told = false;      // the message was taken
    bool asks = false;      // a job waits for input until its time is over
    std::string imported{}; // the session that a copy of the long haul's became

    std::string submit(const std::string& prompt, const std::string& key)
    {
        const auto body = js::serialize(js::value{{"prompt", prompt}, {"workdir", w.workspace()}});
        const headers with{{"Idempotency-Key", key}};
        const auto first = client.call("POST", "/v1/tasks", body, with);
        REQUIRE_MESSAGE(first.status == 202, first.status << " " << first.body);
        const auto id = std::string{js::parse(first.body).at("id").as_string()};
        const auto again = client.call("POST", "/v1/tasks", body, with);
        REQUIRE_MESSAGE(again.status == 202, again.status << " " << again.body);
        CHECK(js::parse(again.body).at("id").as_string() == id);
        return id;
    }

    js::object await_state(const std::string& id, std::string_view state)
    {
        return client.await_task(id, [state](const js::object& task) {
            return !task.at("ended_at").is_null() || task.at("state").as_string() == state;
        });
    }

    [[nodiscard]] bool may_have_lost() const { return client.deaths() == 1 || !after_kill.empty(); }

    void kill_and_start()
    {
        CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
        w.change_daemon(fail_points_path, {{"AGENTD_FAIL_POINT", after_kill}});
        client.start();
    }

    void live()
    {
        client.start();
        whole = submit("whole life", "one");
        await_state(whole, "waiting");
        if (!after_kill.empty())
            kill_and_start();
        const auto heard = client.call("POST", "/v1/tasks/" + whole + "/messages",
            R"({"text":"a word from outside"})", {{"Idempotency-Key", "word"}});
        told = heard.status == 202;
        // Refused only where the death has taken the jobs that it waited for.
        CHECK((told || (heard.status == 409 && may_have_lost())));
        await_state(whole, "waiting");
        write_file(w.workspace() + "/gate", "");
        client.ended(whole);
        if (asks)
            client.ended(submit("question", "five"));
        never = submit("never", "two");
        await_state(never, "running");
        const auto cancel = client.call("POST", "/v1/tasks/" + never + "/cancel");
        CHECK((cancel.status == 202 || (cancel.status == 200 && client.deaths() == 1)));
        client.ended(never);
        haul = submit("long haul", "three");
        client.ended(haul);
        brief = submit("short", "four");
        const auto session = client.ended(brief).at("session_id").as_string();
        const auto gone = client.call("DELETE", "/v1/sessions/" + std::string{session});
        CHECK((gone.status == 204 || (gone.status == 404 && client.deaths() == 1)));
        const auto kept = std::string{client.ended(haul).at("session_id").as_string()};
        const auto copy = client.call("GET", "/v1/sessions/" + kept + "/export");
        const auto arrived = client.call("POST", "/v1/sessions/import", copy.body);
        REQUIRE_MESSAGE(arrived.status == 201, arrived.status << " " << arrived.body);
        imported = std::string{js::parse(arrived.body).at("id").as_string()};
        client.stop();
    }
};

std::size_t job_ends(const std::vector<js::object>& events, const js::value& job)
{
    return static_cast<std::size_t>(std::ranges::count_if(events, [&](const js::object& event) {
        return event.at("type").as_string() == "job.finished" && event.at("job_id") == job;
    }));
}

// What holds after any death (DESIGN §9).
void check_day(world& w, const day& lived)
{
    CHECK_MESSAGE(w.ended(lived.whole).at("state").as_string() == "succeeded",
        js::serialize(w.task(lived.whole)));
    CHECK(w.ended(lived.never).at("state").as_string() == "cancelled");
    CHECK(w.ended(lived.haul).at("state").as_string() == "succeeded");
    CHECK(w.call("GET", "/v1/tasks/" + lived.brief).status == 404);
    const auto whole = session_of(w, lived.whole);
    const auto haul = session_of(w, lived.haul);
    check_told_once(w, {whole, haul});
    CHECK(count_of(conversation_of(w, whole), "a word from outside") == (lived.told ? 1U : 0U));
    CHECK(epoch_of(w, lived.haul) == 2);
    CHECK(conversation_of(w, lived.imported) == conversation_of(w, haul));
    check_ends(w, {lived.whole, lived.never, lived.haul, lived.brief});
    check_gapless(w);
    const auto events = w.events();
    CHECK(count_events(events, "task.submitted") == (lived.asks ? 5U : 4U));
    CHECK(count_events(events, "session.deleted") == 1);
    for (const auto& job : jobs_in(w, whole))
        CHECK_MESSAGE(job_ends(events, job.at("id")) == 1, js::serialize(job));
    w.check_model_content();
}

// There is something to purge: an answer that was to be remembered for a day.
void leave_something_old(world& w)
{
    w.start_daemon();
    CHECK(w.stop_daemon(SIGTERM) == 0);
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open((w.state_folder() + "/agentd.db").c_str(), &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, "INSERT INTO idempotency VALUES (0, '', 'old', 0, 202, '', '', '')",
              nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
}

enum class first { is_fail_point, is_sigkill };

void die_at(const std::string& point, first death = first::is_fail_point)
{
    INFO("fail point ", point, death == first::is_sigkill ? " after a SIGKILL" : "");
    world w{{.scenario = all_ways(),
        .config = "wake_window_ms = 10\n[jobs]\nstall_s = 1\n",
        .model_config = small_window,
        .start = false}};
    const bool killed = death == first::is_sigkill;
    if (point.starts_with("purge"))
        leave_something_old(w);
    if (!killed)
        w.change_daemon(fail_points_path, {{"AGENTD_FAIL_POINT", point}});
    stubborn_client client{w};
    day lived{client, w, {}, {}, {}, {}, killed ? point : std::string{}};
    lived.asks = point.starts_with("stall_job"); // it takes seconds
    lived.live();
    CHECK_MESSAGE(client.deaths() == 1, "never reached: " << point);
    w.change_daemon({}, {});
    w.start_daemon();
    check_day(w, lived);
}

} // namespace

TEST_CASE("fail points: killed before each commit, nothing is lost, done or told twice")
{
    for (std::size_t i = 0; i < step_count; ++i)
        die_at(std::string{to_string(static_cast<agentd::store::step>(i))} + ":before");
}

TEST_CASE("fail points: killed behind each commit, nothing is lost, done or told twice")
{
    for (std::size_t i = 0; i < step_count; ++i)
        die_at(std::string{to_string(static_cast<agentd::store::step>(i))} + ":after");
}

TEST_CASE("fail points: killed again while the next start repairs what a SIGKILL has left")
{
    using agentd::store::step;
    for (const auto name : {step::reserve_seq, step::recover, step::daemon_event, step::start_task,
             step::begin_turn, step::complete_reply, step::finish_task})
        for (const char* when : {":before", ":after"})
            die_at(std::string{to_string(name)} + when, first::is_sigkill);
}

namespace {

// What a day tells wrongly on which this daemon dies at a delivery.
std::string wrong_deliveries(const char* daemon)
{
    // One of the replies after the first is to the request that carries the first job's end.
    std::string wrong;
    for (int reply = 2; reply <= 5 && wrong.empty(); ++reply) {
        world w{{.scenario = all_ways(),
            .config = "wake_window_ms = 10\n",
            .model_config = small_window,
            .start = false}};
        w.change_daemon(
            daemon, {{"AGENTD_FAIL_POINT", "complete_reply:before:" + std::to_string(reply)}});
        stubborn_client client{w};
        day lived{client, w, {}, {}, {}, {}, {}};
        lived.live();
        CHECK(client.deaths() == 1);
        w.start_daemon();
        wrong += told_wrong(w, {session_of(w, lived.whole)});
    }
    return wrong;
}

} // namespace

TEST_CASE("fail points: a delivery in a transaction of its own is found, and a whole one is none")
{
    CHECK(!wrong_deliveries(torn_delivery_path).empty());
    CHECK(wrong_deliveries(fail_points_path).empty());
}

TEST_CASE("fail points: the shipped daemon has none")
{
    world w{{.scenario = all_ways(), .env = {{"AGENTD_FAIL_POINT", "submit_task:before"}}}};
    CHECK(w.ended(w.submit("short")).at("state").as_string() == "succeeded");
    const auto shipped = read_file(agentd_path);
    const auto other = read_file(fail_points_path);
    CHECK(shipped.find("AGENTD_FAIL_POINT") == std::string::npos);
    CHECK(other.find("AGENTD_FAIL_POINT") != std::string::npos);
}
