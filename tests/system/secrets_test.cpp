// The key is told to the model's server and to nobody else: a canary is sought in everything that
// the daemon says, writes or hands on, also when the server itself sends it back.
#include "tests/support/harness/paths.hpp"
#include "tests/system/surface.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>

using namespace agentd::testing;

namespace {

constexpr auto look_around =
    "env; echo beyond; tr '\\0' '\\n' < /proc/$PPID/environ; "
    "tr '\\0' '\\n' < /proc/$PPID/cmdline; cat /proc/self/environ; ls -l /proc/self/fd";

void expect_none(const std::string& where, const std::string& text)
{
    const auto at = text.find(canary);
    CHECK_MESSAGE(at == std::string::npos,
        where << " has the key: " << text.substr(at < 200 ? 0 : at - 200, 400));
}

js::object refusal(int status, const std::string& message, int times = 1)
{
    js::object error{{"message", message}};
    js::object reply{{"status", status}, {"error", error}};
    return {{"reply", reply}, {"times", times}};
}

// An error event in the middle of a stream, with the key in it.
js::object broken_stream()
{
    const js::object event{{"event", "error"},
        {"data",
            {{"type", "error"},
                {"error",
                    {{"type", "overloaded_error"}, {"message", "busy " + std::string{canary}}}}}}};
    return {{"reply", {{"events", js::array{event}}}}};
}

// Bytes with the key in them that are no JSON, or no HTTP.
js::object odd_reply(std::string_view kind, const std::string& text)
{
    js::object reply;
    if (kind == "body")
        reply["status"] = 500;
    reply[kind] = text;
    return {{"reply", reply}};
}

// The key where no text is expected.
js::object quoting_reply()
{
    js::object error{{"type", canary}, {"message", "no"}};
    js::object fields{{"request-id", canary}};
    return {{"reply", {{"status", 400}, {"error", error}, {"headers", fields}}}};
}

std::string telling_scenario()
{
    const std::string key{canary};
    return scenario(
        {conversation("look",
             {step({use("bash", {{"command", look_around}})}), step({background(look_around)}),
                 step({say("I wait.")}), step({say("Seen.")})}),
            conversation("busy",
                {refusal(529, "overloaded for " + key), broken_stream(), step({say("At last.")})}),
            conversation("html", {odd_reply("body", "<p>" + key), step({say("Hello.")})}),
            conversation("raw",
                {odd_reply("raw", "HTTP/1.1 503 " + key + "\r\ncontent-length: 0\r\n\r\n"),
                    step({say("Hello.")})}),
            conversation("junk", {odd_reply("raw", key + "\r\n\r\n"), step({say("Hello.")})}),
            conversation("type", {quoting_reply()}),
            conversation("wrong", {refusal(400, "bad request with x-api-key: " + key)}),
            conversation("denied", {refusal(401, "invalid x-api-key " + key)})});
}

// All that can be asked for over the socket.
void search_api(world& w, const std::vector<std::string>& tasks)
{
    std::vector<std::string> targets{"/v1/tasks", "/v1/sessions", "/v1/jobs",
        "/v1/events?limit=100000", "/v1/health", "/v1/info", "/metrics"};
    for (const auto& task : tasks) {
        const auto session = std::string{w.task(task).at("session_id").as_string()};
        targets.push_back("/v1/tasks/" + task);
        targets.push_back("/v1/sessions/" + session + "/messages");
        targets.push_back("/v1/sessions/" + session + "/export");
        for (const auto& job : jobs_of(w, task))
            targets.push_back("/v1/jobs/" + job + "/output");
    }
    for (const auto& target : targets) {
        const auto reply = w.call("GET", target);
        CHECK(reply.status == 200);
        expect_none(target, reply.body);
    }
}

void search_command_line(world& w, const std::vector<std::string>& tasks)
{
    std::vector<std::vector<std::string>> calls{
        {"ls"}, {"sessions"}, {"jobs"}, {"events"}, {"info"}, {"health"}};
    for (const auto& task : tasks) {
        calls.push_back({"show", task});
        calls.push_back({"follow", task});
        calls.push_back({"wait", task});
        calls.push_back({"transcript", std::string{w.task(task).at("session_id").as_string()}});
    }
    for (auto call : calls) {
        const auto plain = w.ctl(call);
        expect_none("agentctl " + call.front(), plain.out + plain.err);
        call.insert(call.begin(), "--json");
        const auto json = w.ctl(call);
        expect_none("agentctl --json " + call.back(), json.out + json.err);
    }
}

void search_files(const std::string& folder)
{
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{folder})
        if (entry.is_regular_file()) {
            ++files;
            expect_none(entry.path().string(), read_file(entry.path().string()));
        }
    CHECK(files > 2);
}

} // namespace

TEST_CASE("secrets: the key is in no environment, log, event, error, file or answer")
{
    world w{{.scenario = telling_scenario(), .config = "log.level = \"debug\"\n"}};
    std::vector<std::string> tasks;
    for (const char* prompt :
        {"look around", "busy server", "wrong request", "html", "raw", "junk", "type"})
        tasks.push_back(w.submit(prompt));
    for (const auto& task : tasks)
        w.ended(task);
    tasks.push_back(w.submit("denied")); // after it nothing is asked any more
    w.ended(tasks.back());
    CHECK(w.task(tasks[0]).at("state").as_string() == "succeeded");
    CHECK(w.task(tasks[1]).at("result").as_string() == "At last.");
    CHECK(w.task(tasks[2]).at("error").at("type").as_string() == "model_error");
    const auto denied = js::serialize(w.task(tasks.back()).at("error"));
    CHECK_MESSAGE(denied.find("invalid x-api-key") != std::string::npos, denied);
    CHECK(w.json(200, "GET", "/v1/health").at("status").as_string() == "degraded");
    const auto jobs = jobs_of(w, tasks[0]);
    REQUIRE(jobs.size() == 1);
    const auto seen = w.call("GET", "/v1/jobs/" + jobs[0] + "/output").body;
    CHECK(seen.find("AGENTD_JOB_ID=") != std::string::npos);
    CHECK_MESSAGE(
        seen.substr(0, seen.find("beyond")).find("ANTHROPIC_") == std::string::npos, seen);
    CHECK(seen.find("HOME=") != std::string::npos);
    search_api(w, tasks);
    search_command_line(w, tasks);
    expect_none(
        "/proc/PID/environ", read_file("/proc/" + std::to_string(w.daemon().pid()) + "/environ"));
    search_files(w.state_folder()); // as it is while the daemon runs
    CHECK(w.stop_daemon(SIGTERM) == 0);
    search_files(w.state_folder());
    expect_none("the log", w.log());
    CHECK(w.log().find("\"level\":\"debug\"") != std::string::npos);
    expect_none("the daemon's stdout", read_file(w.folder() + "/agentd.out"));
    CHECK(w.log().find(std::string{canary}.substr(3)) == std::string::npos);
}

TEST_CASE("secrets: the server gets the key, and only in its header")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    w.ended(w.submit("greet"));
    const auto requests = w.requests();
    REQUIRE(requests.size() == 1);
    CHECK(js::serialize(requests[0].at("headers")).find("x-api-key") != std::string::npos);
    expect_none("the request's body", js::serialize(requests[0].at("body")));
}

TEST_CASE("secrets: a key from a file is kept as well, and one that is none is not quoted")
{
    const scratch_folder in;
    world w{{.scenario = telling_scenario(),
        .env = {{"ANTHROPIC_API_KEY", "sk-other"}},
        .start = false}};
    const auto config = w.folder() + "/agentd.toml"; // ends with its section [model]
    write_file(config, read_file(config) + "api_key_file = \"" + (in / "key") + "\"\n");
    write_file(in / "key", std::string{canary} + "\n");
    w.start_daemon();
    const auto task = w.submit("denied");
    w.ended(task);
    search_api(w, {task});
    expect_none("the log", w.log());
    CHECK(js::serialize(w.task(task)).find("[credential]") != std::string::npos);
    write_file(in / "a.toml", "[model]\napi_key_file = \"" + (in / "key") + "\"\n");
    write_file(in / "key", std::string{canary} + " two words\n");
    const auto end = run_program({agentd_path, "--check-config", "--config", in / "a.toml"}, in);
    expect_none("agentd --check-config", end.out + end.err);
    CHECK(end.out.find("holds characters that no key has") != std::string::npos);
}
