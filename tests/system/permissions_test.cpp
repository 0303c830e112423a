// Who may use the socket: the daemon's uid and root; with `shared` members of its group, each
// seeing his own; never a command that the daemon itself has started.
#include "tests/system/surface.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

using namespace agentd::testing;

namespace {

constexpr uid_t daemon_uid = 65'534, one_uid = 54'321, other_uid = 54'322;
constexpr gid_t daemon_gid = 65'534, foreign_gid = 54'000;

bool cannot_be_others()
{
    if (::getuid() == 0)
        return false;
    MESSAGE("SKIP: only root can act as somebody else");
    return true;
}

} // namespace

TEST_CASE("permissions: another uid gets 403 for whatever it asks")
{
    if (cannot_be_others())
        return;
    world w{{.scenario = scenario({}, hello_to_all())}};
    REQUIRE(::chmod(w.folder().c_str(), 0711) == 0);
    REQUIRE(::chmod(w.socket().c_str(), 0666) == 0); // the file's mode alone would keep him out
    const auto task = w.submit("greet");
    const auto foreign = [&w] {
        const other_user me{one_uid, foreign_gid};
        return w.connect();
    };
    auto client = foreign();
    for (const call_row& row :
        {call_row{"POST", "/v1/tasks", 403, "forbidden", R"({"prompt":"x"})"},
            call_row{"GET", "/v1/tasks/" + task, 403, "forbidden"},
            call_row{"GET", "/v1/events?follow=1", 403, "forbidden"},
            call_row{"GET", "/v1/health", 403, "forbidden"},
            call_row{"GET", "/nowhere", 403, "forbidden"}})
        expect(client, row);
    CHECK(w.ended(task).at("state").as_string() == "succeeded");
}

TEST_CASE("permissions: the socket and the state are the daemon's alone")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    w.ended(w.submit("greet"));
    const auto mode = [](const std::string& path) {
        struct stat found{};
        REQUIRE(::stat(path.c_str(), &found) == 0);
        return found.st_mode & 0777U;
    };
    CHECK(mode(w.socket()) == 0600);
    CHECK(mode(w.state_folder()) == 0700);
    CHECK(mode(w.state_folder() + "/agentd.db") == 0600);
    CHECK(mode(w.state_folder() + "/jobs") == 0700);
}

TEST_CASE("permissions: a command of the daemon gets 403, also without its environment or parent")
{
    const std::string ask = "curl -sS --unix-socket ../s http://localhost/v1/tasks";
    // Its parent has ended, its session is its own, its environment is empty.
    const std::string detached = "(env -i PATH=/usr/bin:/bin setsid sh -c 'sleep 0.2; " + ask +
        " > part; mv part told' &); while ! test -e told; do sleep 0.05; done; cat told";
    world w{
        {.scenario = scenario({conversation("ask",
             {step({use("bash", {{"command", ask}}),
                  use("bash", {{"command", "env -i PATH=/usr/bin:/bin " + ask}})}),
                 step({background(detached)}), step({say("I wait.")}), step({say("Asked.")})})})}};
    const auto task = w.submit("ask yourself");
    CHECK(w.ended(task).at("state").as_string() == "succeeded");
    const auto session = std::string{w.task(task).at("session_id").as_string()};
    const auto page = w.json(200, "GET", "/v1/sessions/" + session + "/messages");
    const auto& answers = page.at("items").as_array().at(2).at("content").as_array();
    REQUIRE(answers.size() == 2);
    for (const auto& answer : answers)
        CHECK(js::serialize(answer).find("urn:agentd:problem:from_job") != std::string::npos);
    const auto told = w.call("GET", "/v1/jobs/" + jobs_of(w, task).at(0) + "/output").body;
    CHECK_MESSAGE(told.find("urn:agentd:problem:from_job") != std::string::npos, told);
    CHECK(w.json(200, "GET", "/v1/tasks").at("items").as_array().size() == 1);
}

namespace {

// A daemon of nobody's, shared with his group, whose workspaces are below its folder `work`.
struct shared_world {
    shared_world()
        : daemon{{.scenario = scenario({}, hello_to_all()),
              .config = "shared = true\n",
              .launcher = {"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"},
              .start = false}}
    {
        const auto config = daemon.folder() + "/agentd.toml";
        write_file(config,
            read_file(config) + "\n[workspace]\nroots = [\"" + daemon.workspace() + "\"]\n");
        for (const auto& path : {daemon.folder(), daemon.workspace()})
            REQUIRE(::chown(path.c_str(), daemon_uid, daemon_gid) == 0);
        REQUIRE(::chmod(daemon.folder().c_str(), 0711) == 0);
        daemon.start_daemon();
    }

    [[nodiscard]] http_client client(uid_t uid, gid_t gid) const
    {
        const other_user me{uid, gid};
        return daemon.connect();
    }

    world daemon;
};

std::string order(const std::string& workdir)
{
    js::object body{{"prompt", "greet"}};
    if (!workdir.empty())
        body["workdir"] = workdir;
    return js::serialize(body);
}

std::size_t listed(const http_reply& page)
{
    return js::parse(page.body).at("items").as_array().size();
}

} // namespace

TEST_CASE("permissions: with shared each member of the group sees and touches only his own")
{
    if (cannot_be_others())
        return;
    shared_world shared;
    auto& w = shared.daemon;
    auto one = shared.client(one_uid, daemon_gid), other = shared.client(other_uid, daemon_gid);
    const auto made = expect(one, {"POST", "/v1/tasks", 202, "", order(w.workspace())});
    REQUIRE(made.status == 202);
    const auto task = js::parse(made.body).as_object();
    CHECK(task.at("owner_uid").to_number<uid_t>() == one_uid);
    const auto path = "/v1/tasks/" + std::string{task.at("id").as_string()};
    const auto session = "/v1/sessions/" + std::string{task.at("session_id").as_string()};
    expect(one, {"GET", path + "/wait"});
    expect(other, {"GET", path, 404, "not_found"});
    expect(other, {"POST", path + "/cancel", 404, "not_found"});
    expect(other, {"GET", session, 404, "not_found"});
    expect(other, {"GET", session + "/messages", 404, "not_found"});
    expect(other, {"DELETE", session, 404, "not_found"});
    expect(other, {"GET", "/v1/events?task_id=" + path.substr(10), 404, "not_found"});
    CHECK(listed(expect(other, {"GET", "/v1/tasks"})) == 0);
    CHECK(listed(expect(one, {"GET", "/v1/tasks"})) == 1);
    const auto events = expect(other, {"GET", "/v1/events"}).body;
    CHECK(events.find("daemon.started") != std::string::npos);
    CHECK(events.find("task.submitted") == std::string::npos);
    CHECK(listed(w.call("GET", "/v1/tasks")) == 1); // root sees all
    auto own = shared.client(daemon_uid, daemon_gid);
    CHECK(listed(expect(own, {"GET", "/v1/tasks"})) == 1);
}

TEST_CASE("permissions: with shared members work below the roots, and others stay out")
{
    if (cannot_be_others())
        return;
    shared_world shared;
    auto& w = shared.daemon;
    auto member = shared.client(one_uid, daemon_gid);
    expect(member, {"POST", "/v1/tasks", 403, "workspace_denied", order("/tmp")});
    const auto fresh = expect(member, {"POST", "/v1/tasks", 202, "", order("")});
    const auto session = std::string{js::parse(fresh.body).at("session_id").as_string()};
    const auto place = js::parse(expect(member, {"GET", "/v1/sessions/" + session}).body);
    CHECK(place.at("workdir").as_string() == w.workspace() + "/" + session);
    const auto lines = expect(member, {"GET", "/v1/sessions/" + session + "/export"}).body;
    expect(member, {"POST", "/v1/sessions/import?workdir=/tmp", 403, "workspace_denied", lines});
    REQUIRE(::chmod(w.socket().c_str(), 0666) == 0);
    auto stranger = shared.client(other_uid, foreign_gid);
    expect(stranger, {"GET", "/v1/tasks", 403, "forbidden"});
    const auto info = w.json(200, "GET", "/v1/info");
    CHECK(info.at("shared").as_bool());
    CHECK(info.at("workspace_roots").as_array().at(0).as_string() == w.workspace());
}

TEST_CASE("permissions: connections beyond the limit are 503 and say when to come again")
{
    world w{{.scenario = scenario({}, hello_to_all()), .config = "limits.connections = 2\n"}};
    w.call("GET", "/v1/health");
    auto held = w.connect();
    expect(held, {"GET", "/v1/health"});
    {
        auto third = w.connect();
        const auto refused = expect(third, {"GET", "/v1/health", 503, "too_many_connections"});
        CHECK(!refused.header("Retry-After").empty());
        CHECK(third.is_closed());
    }
    expect(held, {"GET", "/v1/health"});
}
