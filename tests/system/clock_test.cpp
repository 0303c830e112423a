// A wall clock that jumps under a running daemon (tests/support/clock_shift): what takes time
// is measured by the monotonic clock, and only what is shown and stored as a time follows.
#include "tests/support/harness/paths.hpp"
#include "tests/system/evidence.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <chrono>
#include <csignal>

using namespace agentd::testing;

namespace {

constexpr std::int64_t day = 24 * 3600;

std::string year_of(const js::value& time)
{
    return std::string{time.as_string().subview(0, 4)};
}

} // namespace

TEST_CASE("clock: jumps by years end no task, no job and no wait, and change no duration")
{
    world w{{.scenario = scenario({conversation("wait",
                 {step({background("cat go; exit 3")}), step({say("I wait.")}),
                     step({say("Told.")}, expects({"completed: exit 3 after "}))})}),
        .start = false}};
    const auto clock = w.folder() + "/clock";
    const auto jump = [&clock](std::int64_t days) {
        write_file(clock, std::to_string(days * day) + "\n");
    };
    jump(0);
    w.change_daemon("", {{"LD_PRELOAD", clock_shift_path}, {"AGENTD_TEST_CLOCK", clock}});
    REQUIRE(::mkfifo((w.workspace() + "/go").c_str(), 0600) == 0);
    w.start_daemon();
    const auto began = std::chrono::steady_clock::now();
    const auto task = w.submit("wait", {{"timeout_s", 1800}});
    w.await_event("task.waiting", task);
    const auto first = w.events().back();

    jump(3 * 366);
    auto other = w.connect();
    other.send_raw("GET /v1/tasks/" + task + "/wait?timeout_s=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto unended = other.read_reply();
    CHECK(unended.status == 200); // after a second by the other clock
    CHECK(unended.body.find("\"state\":\"waiting\"") != std::string::npos);
    CHECK(std::chrono::steady_clock::now() - began >= std::chrono::seconds{1});
    jump(-3 * 366);
    write_file(w.workspace() + "/go", "");
    CHECK(state_of(w.ended(task)) == "succeeded");
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - began);

    const auto end = w.await_event("job.finished", task);
    CHECK(end.at("wall_ms").as_int64() >= 1000);
    CHECK(end.at("wall_ms").as_int64() <= passed.count());
    CHECK(year_of(end.at("time")) < year_of(first.at("time"))); // the wall clock's, as it was
    const auto job = jobs_in(w, session_of(w, task)).at(0);
    CHECK(job.at("wall_ms") == end.at("wall_ms"));
    check_gapless(w);
    w.check_model_content();
    CHECK(w.stop_daemon(SIGTERM) == 0);
}
