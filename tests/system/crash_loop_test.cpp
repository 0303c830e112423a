// A task under which the daemon ends again and again is told from those that were merely there.
#include "tests/system/evidence.hpp"
#include "tests/system/state_by_hand.hpp"

#include <doctest/doctest.h>

#include <csignal>

using namespace agentd::testing;

namespace {

// A conversation whose first request is never answered, and what follows an end of the daemon.
js::value never_answered(std::string_view prompt)
{
    std::vector<js::value> steps(4, step({say("Never.")}, {{"reply", {{"hold", "poison"}}}}));
    steps.push_back(step({say("After.")}));
    return interrupted(prompt, std::move(steps));
}

std::string poisoned_scenario()
{
    return scenario({never_answered("poison"),
        interrupted(
            "healthy", {step({use("bash", {{"command", "sleep 0.1"}})}), step({say("Fine.")})})});
}

// Lets the daemon end `times` times while the poisoned task's request is under way.
void end_under(world& w, int times, int signal)
{
    for (int i = 1; i <= times; ++i) {
        w.await_model("held=poison&count=1&requests=" + std::to_string(i) + "&conversation=poison");
        w.stop_daemon(signal);
        w.start_daemon();
    }
}

} // namespace

TEST_CASE("crash loop: the task under which agentd ends three times fails, and the others go on")
{
    world w{{.scenario = poisoned_scenario()}};
    const auto poisoned = w.submit("poison");
    const auto other = w.submit("healthy");
    end_under(w, 3, SIGKILL);
    const auto end = w.ended(poisoned);
    CHECK(end.at("error").at("type") == "crash_loop");
    CHECK(w.ended(other).at("result") == "Fine.");
    // What the model never answered is not gone on with.
    const auto next = w.submit("next", {{"session_id", session_of(w, poisoned)}});
    w.release("poison");
    CHECK(state_of(w.ended(next)) == "succeeded");
    const auto told = last_user_text(w.requests("poison").back());
    CHECK(told.find("[agentd: this task was failed: crash_loop; do not go on with it]") !=
        std::string::npos);
    check_ends(w, {poisoned, other, next});
    check_gapless(w);
    w.check_model_content();
}

TEST_CASE("crash loop: orderly stops, and ends in another run of the machine, do not count")
{
    world w{{.scenario = poisoned_scenario()}};
    const auto task = w.submit("poison");
    SUBCASE("orderly stops") {
        end_under(w, 4, SIGTERM);
    }
    SUBCASE("power losses") {
        for (int i = 1; i <= 4; ++i) {
            w.await_model("requests=" + std::to_string(i) + "&conversation=poison");
            w.kill_daemon();
            change_state(w, "UPDATE tasks SET at_work = 'another run' WHERE at_work <> ''");
            w.start_daemon();
        }
    }
    w.release("poison");
    CHECK(w.ended(task).at("result") == "After.");
}
