// After the machine went down: numbers jump ahead, and an event says from where to where, once.
#include "tests/system/window.hpp"

#include <boost/json/parse.hpp>

#include <sqlite3.h>

#include <csignal>

using namespace agentd::testing;

namespace {

// As after a power loss: the state says that another run of the machine had it open.
void lose_power(world& w)
{
    CHECK(w.stop_daemon(SIGKILL) == 128 + SIGKILL);
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open((w.state_folder() + "/agentd.db").c_str(), &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, "UPDATE meta SET boot_id = 'another'", nullptr, nullptr, nullptr) ==
        SQLITE_OK);
    sqlite3_close(db);
    w.start_daemon();
}

std::string story()
{
    return scenario({interrupted(
        "wait", {step({background("sleep 300")}), step({say("I wait.")}), step({say("Told.")})})});
}

} // namespace

TEST_CASE("power: after a loss the numbers jump, daemon.recovered says how far, and only once")
{
    world w{{.scenario = story()}};
    const auto task = w.submit("wait");
    w.await_event("task.waiting", task);
    const auto seen = w.events().back().at("seq").as_int64();
    lose_power(w);
    CHECK(state_of(w.ended(task)) == "succeeded"); // what was lost was told behind the jump
    const auto told = w.events("&types=daemon.recovered");
    REQUIRE(told.size() == 1);
    CHECK(told[0].at("from").as_int64() == seen + 1);
    CHECK(told[0].at("to").as_int64() == told[0].at("seq").as_int64() - 1);
    CHECK(told[0].at("to").as_int64() > seen + 1000);
    std::int64_t before = 0;
    for (const auto& event : w.events()) { // gapless but for what it tells of
        const auto seq = event.at("seq").as_int64();
        CHECK(seq == (event == told[0] ? told[0].at("to").as_int64() : before) + 1);
        before = seq;
    }
    // A reader with a cursor in the hole goes on behind it.
    const auto rest = w.call("GET", "/v1/events?limit=1&after=" + std::to_string(seen + 500));
    CHECK(rest.body.find("daemon.recovered") != std::string::npos);
    for (const int signal : {SIGKILL, SIGTERM}) {
        static_cast<void>(w.stop_daemon(signal));
        w.start_daemon();
    }
    CHECK(w.events("&types=daemon.recovered").size() == 1);
    w.check_model_content();
}

TEST_CASE("power: events behind retention are gone with a 410 that names the oldest")
{
    world w{{.scenario = story(), .config = "[retention]\nevents_count = 100\n"}};
    for (int i = 0; i < 60; ++i)
        w.ended(w.submit("unscripted " + std::to_string(i)));
    const auto newest = w.events().back().at("seq").as_int64();
    REQUIRE(newest > 150);
    CHECK(w.stop_daemon(SIGTERM) == 0);
    w.start_daemon(); // which purges first
    std::int64_t oldest = 1;
    while (oldest < newest - 100) // without a cursor: from the oldest kept
        oldest = js::parse(w.call("GET", "/v1/events?limit=1").body).at("seq").as_int64();
    CHECK(oldest < newest);
    const auto gone = w.call("GET", "/v1/events?after=1");
    CHECK(gone.status == 410);
    CHECK(gone.body.find("oldest_seq") != std::string::npos);
}
