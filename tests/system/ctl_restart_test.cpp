// agentctl while its daemon dies under it and comes back: what it hands in is handed in once,
// what it shows is whole.
#include "tests/support/harness/paths.hpp"
#include "tests/system/window.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>

using namespace agentd::testing;

namespace {

std::string three_tasks()
{
    return scenario({interrupted("short", {step({say("Short.")})}),
        interrupted("hold",
            {step({say("Never.")}, holding("h")), step({say("Never.")}, holding("h")),
                step({say("Never.")}, holding("h")), step({say("Held.")})})});
}

// Starts agentctl against a daemon that dies at this point, and another daemon then. What it
// printed.
std::string outlive(world& w, const std::string& point, std::vector<std::string> arguments)
{
    INFO("fail point ", point);
    w.change_daemon(fail_points_path, {{"AGENTD_FAIL_POINT", point}});
    w.start_daemon();
    const auto ctl = w.start_ctl(std::move(arguments));
    CHECK(w.daemon().wait(patience()) == 128 + SIGKILL);
    w.change_daemon({}, {});
    w.start_daemon();
    auto out = ctl->read_all(patience());
    CHECK(ctl->wait(patience()) == 0);
    while (out.ends_with('\n'))
        out.pop_back();
    return out;
}

std::vector<js::object> all_tasks(world& w)
{
    std::vector<js::object> all;
    for (const auto& one : w.json(200, "GET", "/v1/tasks").at("items").as_array())
        all.push_back(one.as_object());
    return all;
}

} // namespace

TEST_CASE("agentctl: a submit whose daemon dies before or behind its commit is one task")
{
    for (const char* point : {"submit_task:before", "submit_task:after"}) {
        world w{{.scenario = three_tasks(), .start = false}};
        // With --fresh the submit is its first call.
        const auto fresh = point == std::string_view{"submit_task:after"};
        std::vector<std::string> arguments{"submit", "short"};
        if (fresh)
            arguments.emplace_back("--fresh");
        const auto id = outlive(w, point, std::move(arguments));
        const auto tasks = all_tasks(w);
        REQUIRE(tasks.size() == 1);
        CHECK(tasks[0].at("id").as_string() == id);
        CHECK(w.ended(id).at("result") == "Short.");
        CHECK(count_events(w.events(), "session.created") == 1);
        w.check_model_content();
    }
}

TEST_CASE("agentctl: a message whose daemon dies before or behind its commit is told once")
{
    for (const char* point : {"add_message:before", "add_message:after"}) {
        world w{{.scenario = three_tasks()}};
        const auto task = w.submit("hold it");
        w.await_model("held=h");
        CHECK(w.stop_daemon(SIGTERM) == 0);
        outlive(w, point, {"send", task, "a word from outside"});
        w.release("h");
        CHECK(state_of(w.ended(task)) == "succeeded");
        CHECK(count_of(conversation_of(w, session_of(w, task)), "a word from outside") == 1);
        w.check_model_content();
    }
}

TEST_CASE("agentctl: a session whose daemon dies behind the deletion is gone; its folder stays")
{
    world w{{.scenario = three_tasks()}};
    const auto id = w.ctl({"submit", "short", "--fresh"}).out;
    const auto task = w.ended(id.substr(0, id.find('\n')));
    const auto session = std::string{task.at("session_id").as_string()};
    const auto folder = w.state_folder() + "/workspaces/" + session;
    CHECK(std::filesystem::exists(folder));
    CHECK(w.stop_daemon(SIGTERM) == 0);
    outlive(w, "delete_session:after", {"rm", session});
    CHECK(w.call("GET", "/v1/sessions/" + session).status == 404);
    CHECK(std::filesystem::exists(folder));
}

TEST_CASE("agentctl: run, wait and follow go on over two restarts; each event is shown once")
{
    world w{{.scenario = three_tasks()}};
    const auto run = w.start_ctl({"run", "hold it"});
    w.await_model("held=h");
    const auto task = std::string{all_tasks(w).at(0).at("id").as_string()};
    const auto follow = w.start_ctl({"--json", "follow", task});
    const auto wait = w.start_ctl({"wait", task});
    std::string shown = follow->read_line(patience()).value_or("") + "\n"; // it is connected
    int request = 2;
    for (const int signal : {SIGKILL, SIGTERM}) {
        w.stop_daemon(signal);
        w.start_daemon();
        w.await_model("requests=" + std::to_string(request++));
    }
    w.release("h");
    CHECK(run->read_all(patience()) == "Never.\n");
    CHECK(run->wait(patience()) == 0);
    CHECK(wait->read_all(patience()) == task + " succeeded\n");
    CHECK(wait->wait(patience()) == 0);
    shown += follow->read_all(patience());
    CHECK(follow->wait(patience()) == 0);
    std::string stored;
    for (const auto& event : w.events("&task_id=" + task))
        stored += js::serialize(event) + "\n";
    std::string durable; // without live text
    for (std::size_t at = 0; at < shown.size();) {
        const auto line = shown.substr(at, shown.find('\n', at) - at);
        at += line.size() + 1;
        const auto event = js::parse(line);
        if (event.as_object().contains("seq"))
            durable += js::serialize(event) + "\n";
    }
    CHECK(durable == stored);
    CHECK(all_tasks(w).size() == 1);
    w.check_model_content();
}
