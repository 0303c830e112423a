// agentctl against the real daemon: every verb, plain and with --json.
#include "tests/system/surface.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <algorithm>

using namespace agentd::testing;

namespace {

using words = std::vector<std::string>;

std::string working_scenario()
{
    return scenario(
        {conversation("build",
             {step({background("printf 'one\\ntwo\\n'; exec sleep 600")}), step({say("I wait.")}),
                 step({say("Built it.")})}),
            conversation("hold",
                {step({say("Held.")}, {{"reply", {{"hold", "h"}}}}), step({say("Done.")})})},
        hello_to_all());
}

std::string trimmed(std::string text)
{
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text;
}

// Runs it; the exit code must be this one.
world::ctl_result ctl(world& w, int code, words arguments)
{
    auto end = w.ctl(arguments);
    std::string line;
    for (const auto& word : arguments)
        line += " " + word;
    CHECK_MESSAGE(end.code == code,
        "agentctl" << line << ": " << end.code << "\n"
                   << end.out << end.err);
    return end;
}

// The same with --json: each line of stdout is an object.
std::vector<js::object> json(world& w, int code, words arguments)
{
    arguments.insert(arguments.begin(), "--json");
    const auto end = ctl(w, code, std::move(arguments));
    std::vector<js::object> lines;
    std::size_t at = 0;
    while (at < end.out.size()) {
        const auto stop = std::min(end.out.find('\n', at), end.out.size());
        lines.push_back(js::parse(end.out.substr(at, stop - at)).as_object());
        at = stop + 1;
    }
    return lines;
}

bool has(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

std::string text_of(const js::object& from, std::string_view name)
{
    return std::string{from.at(name).as_string()};
}

} // namespace

TEST_CASE("agentctl: submit prints the id, wait its end, show, ls and transcript what became of it")
{
    world w{{.scenario = working_scenario()}};
    const auto id =
        trimmed(ctl(w, 0, {"submit", "greet", "--label", "k=v", "--priority", "3"}).out);
    CHECK(id.size() == 12);
    CHECK(trimmed(ctl(w, 0, {"wait", id}).out) == id + " succeeded");
    const auto task = w.task(id);
    const auto session = text_of(task, "session_id");
    CHECK(task.at("priority").as_int64() == 3);
    CHECK(task.at("labels").at("k").as_string() == "v");
    CHECK(w.json(200, "GET", "/v1/sessions/" + session).at("workdir").as_string() == w.workspace());
    CHECK(has(ctl(w, 0, {"show", id.substr(0, 7)}).out, "succeeded"));
    CHECK(text_of(json(w, 0, {"show", id}).at(0), "result") == "Hello.");
    CHECK(has(ctl(w, 0, {"ls", "--state", "succeeded", "--label", "k=v"}).out, id));
    CHECK(ctl(w, 0, {"ls", "--state", "running"}).out.find(id) == std::string::npos);
    CHECK(text_of(json(w, 0, {"ls"}).at(0), "id") == id);
    CHECK(has(ctl(w, 0, {"sessions"}).out, session));
    CHECK(text_of(json(w, 0, {"sessions", "-n", "1"}).at(0), "id") == session);
    CHECK(has(ctl(w, 0, {"transcript", session}).out, "Hello."));
    CHECK(json(w, 0, {"transcript", session}).size() == 2);
    CHECK(text_of(json(w, 0, {"wait", id}).at(0), "state") == "succeeded");
    CHECK(text_of(json(w, 0, {"submit", "greet", "--session", session}).at(0), "session_id") ==
        session);
}

TEST_CASE("agentctl: run prints the result alone; follow and events tell how it went")
{
    world w{{.scenario = working_scenario()}};
    CHECK(ctl(w, 0, {"run", "greet"}).out == "Hello.\n");
    const auto run = json(w, 0, {"run", "--quiet", "greet again"});
    REQUIRE(run.size() == 1);
    const auto id = text_of(run[0], "id");
    CHECK(has(ctl(w, 0, {"follow", id}).out, "task.finished"));
    const auto followed = json(w, 0, {"follow", id});
    CHECK(text_of(followed.back(), "type") == "task.finished");
    CHECK(has(ctl(w, 0, {"events", "--task", id}).out, "task.submitted"));
    const auto events = json(w, 0, {"events", "--types", "task.*", "--limit", "2"});
    CHECK(events.size() == 2);
    CHECK(has(ctl(w, 0, {"info"}).out, "agentd"));
    CHECK(text_of(json(w, 0, {"info"}).at(0), "name") == "agentd");
    CHECK(text_of(json(w, 0, {"health"}).at(0), "status") == "ok");
}

TEST_CASE("agentctl: jobs, their output live and whole, kill; the task goes on")
{
    world w{{.scenario = working_scenario()}};
    const auto id = w.submit("build it");
    w.await_event("task.waiting", id);
    const auto job = text_of(json(w, 0, {"jobs", "--task", id, "--state", "running"}).at(0), "id");
    CHECK(has(ctl(w, 0, {"jobs"}).out, job));
    CHECK(text_of(json(w, 0, {"show", job}).at(0), "state") == "running");
    const auto following = w.start_ctl({"output", job, "-f"});
    CHECK(following->read_line(patience()) == "one");
    CHECK(following->read_line(patience()) == "two"); // and it goes on
    CHECK_FALSE(following->wait(std::chrono::milliseconds{0}));
    CHECK(ctl(w, 0, {"output", job, "--tail-lines", "1"}).out == "two\n");
    CHECK(ctl(w, 0, {"output", job, "--offset", "1", "--limit", "2"}).out == "ne");
    CHECK(text_of(json(w, 0, {"kill", job}).at(0), "state") == "killed");
    CHECK(following->wait(patience()) == 0);
    ctl(w, 0, {"kill", job}); // idempotent
    CHECK(w.ended(id).at("result").as_string() == "Built it.");
    CHECK(ctl(w, 0, {"output", job}).out == "one\ntwo\n");
}

TEST_CASE("agentctl: send steers, cancel ends, rm removes")
{
    world w{{.scenario = working_scenario()}};
    const auto id = w.submit("hold it");
    w.await_model("held=h");
    ctl(w, 0, {"send", id, "Hurry up."});
    CHECK(text_of(json(w, 0, {"send", id, "Please."}).at(0), "id") == id);
    const auto session = text_of(w.task(id), "session_id");
    CHECK(has(ctl(w, 5, {"rm", session}).err, session));
    ctl(w, 0, {"cancel", id});
    CHECK(text_of(w.ended(id), "state") == "cancelled");
    CHECK(text_of(json(w, 0, {"cancel", id}).at(0), "state") == "cancelled");
    CHECK(has(ctl(w, 5, {"send", id, "Too late."}).err, "has ended"));
    ctl(w, 0, {"--json", "rm", session});
    ctl(w, 4, {"show", session});
}

TEST_CASE("agentctl: prompts come from stdin and files, every field has a flag")
{
    world w{{.scenario = working_scenario()}};
    write_file(w.workspace() + "/prompt.txt", "from a file\n");
    const auto id = trimmed(ctl(w, 0, {"submit", "@prompt.txt"}).out);
    CHECK(w.task(id).at("prompt").as_string() == "from a file\n");
    CHECK(w.task(trimmed(ctl(w, 0, {"submit", "@@home"}).out)).at("prompt").as_string() == "@home");
    ::mkdir((w.workspace() + "/sub").c_str(), 0700);
    const auto made = json(w, 0,
        {"submit", "all of it", "--workdir", "sub", "--system", "Be brief.", "--model", "scripted",
            "--env", "A=1", "--env", "B=x=y", "--max-turns", "7", "--timeout", "60",
            "--max-tokens-total", "100000", "--jobs-at-end", "kill", "--priority", "-3", "--label",
            "a=1", "--label", "b=2", "--idempotency-key", "k"});
    const auto task = w.ended(text_of(made.at(0), "id"));
    CHECK(text_of(task, "state") == "succeeded");
    CHECK(text_of(task, "model") == "scripted");
    CHECK(text_of(task, "jobs_at_end") == "kill");
    CHECK(task.at("labels").as_object().size() == 2);
    const auto session = w.json(200, "GET", "/v1/sessions/" + text_of(task, "session_id"));
    CHECK(session.at("workdir").as_string() == w.workspace() + "/sub");
    const auto fresh = json(w, 0, {"submit", "greet", "--fresh"}).at(0);
    const auto place = w.json(200, "GET", "/v1/sessions/" + text_of(fresh, "session_id"));
    CHECK(place.at("workdir").as_string().starts_with(w.state_folder()));
}

TEST_CASE(
    "agentctl: control characters of prompts, commands and output never reach stdout or stderr")
{
    const std::string nasty = "\x1b]0;title\x07\x1b[31mred\x1b[0m\x08\x7f\xc2\x9b"
                              "2J";
    world w{{.scenario = scenario({conversation("nasty",
                 {step({background(
                      "printf '\\033]0;t\\007\\033[31mred\\010\\302\\233\\177\\n'; : " + nasty)}),
                     step({say("I wait.")}), step({say("Done " + nasty)})})})}};
    const auto task = w.submit("nasty " + nasty);
    w.ended(task);
    const auto session = text_of(w.task(task), "session_id");
    const auto job = jobs_of(w, task).at(0);
    for (const words& call :
        {words{"ls"}, words{"show", task}, words{"jobs"}, words{"show", job}, words{"output", job},
            words{"transcript", session}, words{"follow", task}, words{"events"}, words{"sessions"},
            words{"show", nasty}, words{"wait", nasty}, words{"--json", "ls"},
            words{"--json", "transcript", session}, words{"--json", "events"}}) {
        const auto end = w.ctl(call);
        const auto all = end.out + end.err;
        for (const std::string bad : {"\x1b", "\x07", "\x08"})
            CHECK_MESSAGE(
                all.find(bad) == std::string::npos, call.at(0) << " prints " << int{bad[0]});
        if (call.at(0) != "--json")
            for (const std::string bad : {"\x7f", "\xc2\x9b"})
                CHECK_MESSAGE(
                    all.find(bad) == std::string::npos, call.at(0) << " prints " << int{bad[0]});
    }
    CHECK(has(ctl(w, 0, {"output", job}).out, "red"));
    CHECK(has(ctl(w, 0, {"output", "--raw", job}).out, "\x1b[31mred\x08"));
}
