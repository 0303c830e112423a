// A task under which the daemon ends again and again is told from those that were merely there.
#include "tests/system/state_by_hand.hpp"
#include "tests/system/window.hpp"

#include <csignal>

using namespace agentd::testing;

namespace {

// A conversation whose first requests are never answered, and what follows an end of the daemon.
js::value never_answered(std::string_view prompt, std::string_view answer)
{
    std::vector<js::value> steps(4, step({say(answer)}, {{"reply", {{"hold", prompt}}}}));
    return interrupted(prompt, std::move(steps));
}

// One whose calls last until the daemon has ended three times.
js::value never_done(std::string_view prompt)
{
    std::vector<js::value> steps(3, step({bash("echo x >> ran; sleep 60")}));
    steps.push_back(step({say("After.")}));
    return interrupted(prompt, std::move(steps));
}

void await_request(world& w, const std::string& of, int number)
{
    w.await_model(
        "held=" + of + "&count=1&requests=" + std::to_string(number) + "&conversation=" + of);
}

void await_call(world& w, int number)
{
    while (count_of(read_file(w.workspace() + "/ran"), "x") < static_cast<std::size_t>(number))
        CHECK(w.call("GET", "/v1/health").status == 200);
}

// Lets the daemon end while the poisoned task's request is under way.
void end_under(world& w, int request, int signal)
{
    await_request(w, "poison", request);
    w.stop_daemon(signal);
    w.start_daemon();
}

} // namespace

TEST_CASE("crash loop: the task under which agentd ends three times fails, and the others go on")
{
    world w{{.scenario = scenario(
                 {never_answered("poison", "After."), never_answered("healthy", "Fine.")})}};
    const auto healthy = w.submit("healthy");
    const auto poisoned = w.submit("poison");
    for (const int request : {1, 2}) {
        await_request(w, "healthy", request);
        end_under(w, request, SIGKILL);
    }
    await_request(w, "healthy", 3); // both are suspect: the older one is tried first, alone
    CHECK(w.requests("poison").size() == 2);
    w.release("healthy");
    CHECK(w.ended(healthy).at("result") == "Fine.");
    end_under(w, 3, SIGKILL);
    CHECK(error_of(w.ended(poisoned)) == "crash_loop");
    // What the model never answered is not gone on with.
    const auto next = w.submit("next", {{"session_id", session_of(w, poisoned)}});
    w.release("poison");
    CHECK(state_of(w.ended(next)) == "succeeded");
    const auto told = last_user_text(w.requests("poison").back());
    CHECK(told.find("[agentd: this task was failed: crash_loop; do not go on with it]") !=
        std::string::npos);
    check_ends(w, {healthy, poisoned, next});
    check_gapless(w);
    w.check_model_content();
}

TEST_CASE("crash loop: ends within its calls add up; who is held back is cancelled, or waited for")
{
    world w{{.scenario = scenario({never_answered("unlucky", "Never."), never_done("poison"),
                 conversation("fresh", {step({say("Fresh.")})})})}};
    const auto unlucky = w.submit("unlucky");
    const auto poisoned = w.submit("poison");
    for (const int round : {1, 2}) {
        await_request(w, "unlucky", round);
        await_call(w, round);
        w.stop_daemon(SIGKILL);
        w.start_daemon();
    }
    const auto behind = w.submit("behind", {{"session_id", session_of(w, poisoned)}});
    CHECK(w.ended(w.submit("fresh")).at("result") == "Fresh.");
    w.json(202, "POST", "/v1/tasks/" + unlucky + "/cancel");
    CHECK(state_of(w.ended(unlucky)) == "cancelled");
    CHECK(w.requests("unlucky").size() == 2);
    await_call(w, 3);
    w.stop_daemon(SIGKILL);
    w.start_daemon();
    CHECK(error_of(w.ended(poisoned)) == "crash_loop");
    CHECK(w.ended(behind).at("result") == "After.");
    check_ends(w, {unlucky, poisoned, behind});
    check_gapless(w);
    w.check_model_content();
}

TEST_CASE("crash loop: orderly stops, and ends in another run of the machine, do not count")
{
    world w{{.scenario = scenario({never_answered("poison", "After.")})}};
    const auto task = w.submit("poison");
    SUBCASE("orderly stops") {
        for (int i = 1; i <= 4; ++i)
            end_under(w, i, SIGTERM);
    }
    SUBCASE("ends with an orderly stop between them are not in a row") {
        end_under(w, 1, SIGKILL);
        end_under(w, 2, SIGKILL);
        CHECK(w.stop_daemon(SIGTERM) == 0); // it is held back
        w.start_daemon();
        end_under(w, 3, SIGKILL);
    }
    SUBCASE("power losses") {
        for (int i = 1; i <= 4; ++i) {
            await_request(w, "poison", i);
            w.kill_daemon();
            change_state(w, "UPDATE tasks SET at_work = 'another run' WHERE at_work <> ''");
            w.start_daemon();
        }
    }
    w.release("poison");
    CHECK(w.ended(task).at("result") == "After.");
}
