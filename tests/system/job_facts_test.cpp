// What is kept and told of a job besides its output: whose process it was, what it used, which
// of its bounds ended it.
#include "base/unique_fd.hpp"
#include "tests/support/harness/world.hpp"
#include "tests/system/scenario.hpp"

#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <charconv>
#include <memory>
#include <sstream>

using namespace agentd::testing;

namespace {

struct stored_process {
    std::int64_t pid = 0, start = 0;
    std::string boot_id;
};

// As the database has it; pid 0: nothing yet.
stored_process read_process(const world& w)
{
    stored_process found;
    sqlite3* opened = nullptr;
    REQUIRE(sqlite3_open_v2((w.state_folder() + "/agentd.db").c_str(), &opened,
                SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK);
    const std::unique_ptr<sqlite3, int (*)(sqlite3*)> db{opened, sqlite3_close};
    sqlite3_stmt* prepared = nullptr;
    REQUIRE(sqlite3_prepare_v2(db.get(), "SELECT pid, pid_start, boot_id FROM jobs", -1, &prepared,
                nullptr) == SQLITE_OK);
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> row{prepared, sqlite3_finalize};
    if (sqlite3_step(row.get()) == SQLITE_ROW) {
        found.pid = sqlite3_column_int64(row.get(), 0);
        found.start = sqlite3_column_int64(row.get(), 1);
        found.boot_id = reinterpret_cast<const char*>(sqlite3_column_text(row.get(), 2));
    }
    return found;
}

std::int64_t start_of(std::int64_t pid)
{
    const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
    std::istringstream rest{stat.substr(stat.rfind(')') + 1)};
    std::string word;
    for (int field = 3; field <= 22; ++field)
        rest >> word;
    std::int64_t start = 0;
    std::from_chars(word.data(), word.data() + word.size(), start);
    return start;
}

std::string one_job(std::string_view command)
{
    js::object more;
    more["then"] = "repeat_last";
    return scenario({conversation(
        "one", {step({background(command)}), step({say("Done.")})}, std::move(more))});
}

js::object only_job(world& w)
{
    return w.json(200, "GET", "/v1/jobs").at("items").as_array().at(0).as_object();
}

} // namespace

TEST_CASE("job facts: the process of a running job is stored so that it cannot be mistaken")
{
    world w{{.scenario = one_job("exec sleep 300")}};
    const auto task = w.submit("one");
    w.await_event("job.started", task);
    auto kept = read_process(w);
    while (kept.pid == 0) { // written beside its run; the test's time-out is the limit
        CHECK(w.call("GET", "/v1/health").status == 200);
        kept = read_process(w);
    }
    CHECK(kept.start == start_of(kept.pid));
    CHECK(kept.boot_id + "\n" == read_file("/proc/sys/kernel/random/boot_id"));
    CHECK(w.call("POST", "/v1/tasks/" + task + "/cancel").status == 202);
    CHECK(w.ended(task).at("state").as_string() == "cancelled");
}

TEST_CASE("job facts: CPU time that is used up ends a job as a timeout that says so")
{
    for (const std::string means : {"auto", "off"}) {
        CAPTURE(means);
        world w{{.scenario = one_job("while :; do :; done"),
            .config = "[jobs]\ngrace_s = 1\ncpu_s = 1\ncgroup = \"" + means + "\"\n"}};
        const auto task = w.submit("one");
        CHECK(w.ended(task).at("state").as_string() == "succeeded");
        const auto job = only_job(w);
        const auto shown = js::serialize(job);
        CHECK_MESSAGE(job.at("state").as_string() == "timeout", shown);
        CHECK_MESSAGE(job.at("cpu_ms").as_int64() >= 1000, shown);
        CHECK_MESSAGE(job.at("reason").as_string() == "used up its 1 s of CPU time", shown);
    }
}

TEST_CASE("job facts: a bound that cannot be enforced here is named at the start")
{
    world w{{.scenario = one_job("true"),
        .config = "[jobs]\ncgroup = \"off\"\nmemory_bytes = 1000000000\nprocesses = 1000\n"}};
    CHECK(w.log().find("jobs.memory_bytes is not enforced") != std::string::npos);
    CHECK(w.log().find("jobs.processes is not enforced") != std::string::npos);
    CHECK(w.ended(w.submit("one")).at("state").as_string() == "succeeded");
    CHECK(only_job(w).at("exit_code").as_int64() == 0);
}
