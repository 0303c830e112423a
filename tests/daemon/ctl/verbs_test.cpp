// agentctl as a whole against a scripted daemon on a real socket: calls and their answers.
#include "tests/daemon/ctl/canned.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

using namespace agentd::testing;

TEST_CASE("agentctl: each status of the daemon has its exit code and the daemon's words")
{
    const std::pair<int, int> table[] = {{400, 2}, {403, 5}, {404, 4}, {409, 5}, {413, 2}, {422, 2},
        {429, 7}, {500, 8}, {503, 7}, {507, 7}};
    for (const auto& [status, code] : table) {
        CAPTURE(status);
        unix_server daemon{
            {always(http_answer(status, R"({"title":"T","detail":"said \u001b[31mso"})"))}};
        const auto done = agentctl({"--socket", daemon.path(), "show", "t_aaaa"});
        CHECK(done.exit_code == code);
        CHECK(done.out.empty());
        CHECK(done.err == "agentctl: said so\n");
    }
}

TEST_CASE("agentctl: nobody there is exit code 3, at once")
{
    const auto done = agentctl({"--socket", "/tmp/agentd-nobody.sock", "ls"});
    CHECK(done.exit_code == 3);
    CHECK(done.err.find("/tmp/agentd-nobody.sock") != std::string::npos);
    CHECK(agentctl({"--socket", "/" + std::string(200, 'x'), "ls"}).exit_code == 2);
}

TEST_CASE("agentctl: what speaks no HTTP is a daemon error")
{
    unix_server daemon{{always("SSH-2.0-x\r\n\r\n")}};
    CHECK(agentctl({"--socket", daemon.path(), "info"}).exit_code == 8);
    unix_server no_json{{always(http_answer(200, "hello"))}};
    CHECK(agentctl({"--socket", no_json.path(), "info"}).exit_code == 8);
}

TEST_CASE("agentctl: submit sends every field, its own directory and a key, and prints the id")
{
    unix_server daemon{{in_turn({info, http_answer(202, task_json("t_abcdefghij", "queued"))})}};
    const auto done = agentctl({"--socket", daemon.path(), "submit", "do \"it\"", "--label", "a=b",
        "--env", "X=1", "--max-turns", "3", "--timeout", "9", "--priority", "-5", "--budget-usd",
        "0.5", "--max-tokens-total", "10", "--jobs-at-end", "detach", "--model", "m", "--system",
        "s"});
    CHECK(done.exit_code == 0);
    CHECK(done.out == "t_abcdefghij\n");
    CHECK(done.err.empty());
    const auto requests = daemon.requests();
    REQUIRE(requests.size() == 2);
    CHECK(line_of(requests[0]) == "GET /v1/info");
    CHECK(line_of(requests[1]) == "POST /v1/tasks");
    CHECK(header_of(requests[1], "Idempotency-Key").size() == 32);
    char here[4096];
    REQUIRE(::getcwd(here, sizeof here) != nullptr);
    CHECK(body_of(requests[1]) ==
        fmt::format(R"({{"prompt":"do \"it\"","workdir":"{}","system":"s","model":"m",)"
                    R"("env":{{"X":"1"}},"max_turns":3,"timeout_s":9,"budget_usd":0.5,)"
                    R"("max_tokens_total":10,"jobs_at_end":"detach","priority":-5,)"
                    R"("labels":{{"a":"b"}}}})",
            here));
}

TEST_CASE("agentctl: in shared mode a directory outside of the roots is not sent")
{
    unix_server daemon{
        {in_turn({http_answer(200, R"({"shared":true,"workspace_roots":["/srv/x"]})"),
            http_answer(202, task_json("t_abcdefghij", "queued"))})}};
    CHECK(agentctl({"--socket", daemon.path(), "submit", "x"}).exit_code == 0);
    CHECK(body_of(daemon.requests().at(1)) == R"({"prompt":"x"})");
}

TEST_CASE("agentctl: a submit whose connection breaks is sent again with the same key")
{
    const auto silent = [](unix_server::peer& client) {
        (void)client.read_request(); // the daemon dies before it answers
    };
    unix_server daemon{{silent, always(http_answer(202, task_json("t_abcdefghij", "queued")))}};
    const auto done = agentctl({"--socket", daemon.path(), "submit", "x", "--session", "s_aaaa"});
    CHECK(done.exit_code == 0);
    CHECK(done.out == "t_abcdefghij\n");
    const auto requests = daemon.requests();
    REQUIRE(requests.size() == 2);
    CHECK(requests[0] == requests[1]);
    CHECK(!header_of(requests[0], "Idempotency-Key").empty());
}

TEST_CASE("agentctl: a prompt comes from a file, and a missing or too large one is a usage error")
{
    unix_server daemon{{always(http_answer(202, task_json("t_abcdefghij", "queued")))}};
    CHECK(agentctl({"--socket", daemon.path(), "submit", "@/nothing/here", "--fresh"}).exit_code ==
        2);
    CHECK(agentctl({"--socket", daemon.path(), "submit", "@/dev/zero", "--fresh"}).exit_code == 2);
    CHECK(daemon.requests().empty());
    CHECK(agentctl({"--socket", daemon.path(), "submit", "@@me", "--fresh"}).exit_code == 0);
    CHECK(body_of(daemon.requests().at(0)) == R"({"prompt":"@me"})");
}

TEST_CASE("agentctl: ls goes through all pages")
{
    const auto page = [](std::string_view id, std::string_view next) {
        return http_answer(200,
            fmt::format(R"({{"items":[{}],"next":{},"seq":9}})", task_json(id, "running"), next));
    };
    unix_server daemon{
        {in_turn({page("t_aaaaaaaaaa", R"("t_aaaaaaaaaa")"), page("t_bbbbbbbbbb", "null")})}};
    const auto done = agentctl(
        {"--socket", daemon.path(), "ls", "--state", "running", "--label", "k=v", "--json"});
    CHECK(done.exit_code == 0);
    CHECK(done.out ==
        task_json("t_aaaaaaaaaa", "running") + "\n" + task_json("t_bbbbbbbbbb", "running") + "\n");
    const auto requests = daemon.requests();
    CHECK(line_of(requests.at(0)) == "GET /v1/tasks?state=running&label=k%3Dv&limit=200");
    CHECK(line_of(requests.at(1)) ==
        "GET /v1/tasks?state=running&label=k%3Dv&limit=200&after=t_aaaaaaaaaa");
}

TEST_CASE("agentctl: a list for people is an aligned table without control characters")
{
    const auto evil =
        with_result(task_json("t_aaaaaaaaaa", "failed"), "do it", R"(do\u001b[2J\nit)");
    unix_server daemon{
        {always(http_answer(200, R"({"items":[)" + evil + R"(],"next":null,"seq":1})"))}};
    const auto done = agentctl({"--socket", daemon.path(), "ls"});
    CHECK(done.exit_code == 0);
    CHECK(done.out.starts_with("ID            STATE   AGE"));
    CHECK(done.out.find("\nt_aaaaaaaaaa  failed  ") != std::string::npos);
    CHECK(done.out.find('\x1b') == std::string::npos);
}

TEST_CASE("agentctl: wait gives 0, 1, 6 or 124 by how the tasks ended")
{
    const auto waits = [](std::string_view first, std::string_view second) {
        unix_server daemon{{in_turn({http_answer(200, task_json("t_aaaaaaaaaa", first)),
            http_answer(200, task_json("t_bbbbbbbbbb", second))})}};
        return agentctl({"--socket", daemon.path(), "wait", "t_aaaa", "t_bbbb", "--timeout", "0"});
    };
    CHECK(waits("succeeded", "succeeded").exit_code == 0);
    CHECK(waits("succeeded", "failed").exit_code == 1);
    CHECK(waits("cancelled", "succeeded").exit_code == 6);
    CHECK(waits("cancelled", "failed").exit_code == 1);
    CHECK(waits("failed", "cancelled").exit_code == 1);
    const auto late = waits("succeeded", "running");
    CHECK(late.exit_code == 124);
    CHECK(late.out == "t_aaaaaaaaaa succeeded\n");
}

TEST_CASE("agentctl: cancel, kill, send and rm make their calls")
{
    const auto job = R"({"id":"1f3a9c02","session_id":"s_a","task_id":"t_a","command":"x",)"
                     R"("state":"killed","by":"user","exit_code":null,"signal":15,"oom":false,)"
                     R"("wall_ms":1,"cpu_ms":0,"peak_bytes":0,"output_bytes":0,"gap":null,)"
                     R"("queued_at":"2026-11-20T07:37:09.123Z","started_at":null,"ended_at":null})";
    unix_server cancel{{always(http_answer(202, task_json("t_aaaaaaaaaa", "running")))}};
    CHECK(agentctl({"--socket", cancel.path(), "cancel", "t_aaaa"}).err ==
        "t_aaaaaaaaaa is being cancelled\n");
    CHECK(line_of(cancel.requests().at(0)) == "POST /v1/tasks/t_aaaa/cancel");
    unix_server kill{{always(http_answer(200, job))}};
    CHECK(agentctl({"--socket", kill.path(), "kill", "1f3a"}).err == "1f3a9c02: killed\n");
    unix_server send{{always(http_answer(202, R"({"id":"t_aaaaaaaaaa"})"))}};
    CHECK(agentctl({"--socket", send.path(), "send", "t_aaaa", "stop"}).exit_code == 0);
    CHECK(body_of(send.requests().at(0)) == R"({"text":"stop"})");
    unix_server rm{{always("HTTP/1.1 204 No Content\r\n\r\n")}};
    CHECK(agentctl({"--socket", rm.path(), "rm", "s_aaaa", "s_bbbb"}).exit_code == 0);
    CHECK(line_of(rm.requests().at(1)) == "DELETE /v1/sessions/s_bbbb");
}

TEST_CASE("agentctl: rm whose answer was lost has worked when nothing is there any more")
{
    const auto deaf = [](unix_server::peer& client) { (void)client.read_request(); };
    const auto missing = http_answer(404, R"({"title":"T","detail":"no such session"})");
    unix_server daemon{{deaf, always(missing)}};
    const auto done = agentctl({"--json", "--socket", daemon.path(), "rm", "s_aaaa"});
    CHECK(done.exit_code == 0);
    CHECK(done.out == "{\"id\":\"s_aaaa\"}\n");
    unix_server never{{always(missing)}};
    CHECK(agentctl({"--socket", never.path(), "rm", "s_aaaa"}).exit_code == 4);
}

TEST_CASE("agentctl: a transcript shows texts, calls and results")
{
    const auto messages =
        R"({"items":[{"seq":1,"role":"user","content":[{"type":"text","text":"hi"}],)"
        R"("epoch":1,"task_id":"t_a","created_at":"2026-11-20T07:37:09.123Z"},)"
        R"({"seq":2,"role":"assistant","content":[{"type":"tool_use","id":"x",)"
        R"("name":"bash","input":{"command":"ls"}}]},{"seq":3,"role":"user","content":)"
        R"([{"type":"tool_result","tool_use_id":"x","content":"a\u001b[2Jb"}]}],)"
        R"("next":null,"seq":3})";
    unix_server daemon{{always(http_answer(200, messages))}};
    const auto done = agentctl({"--socket", daemon.path(), "transcript", "s_aaaa"});
    CHECK(done.exit_code == 0);
    CHECK(done.out ==
        "#1 user\nhi\n\n#2 assistant\n> bash {\"command\":\"ls\"}\n\n#3 user\n< ab\n\n");
}

TEST_CASE("agentctl: input writes a line, and tells how much of it was taken")
{
    const auto written = [](int bytes, std::string_view rest) {
        return http_answer(
            200, fmt::format(R"({{"job_id":"00000001","bytes":{},{}}})", bytes, rest));
    };
    unix_server daemon{{always(written(4, R"("complete":true,"closed":false,"why":null)")),
        always(written(3, R"("complete":true,"closed":true,"why":null)")),
        always(written(2, R"("complete":false,"closed":false,"why":"timed_out")")),
        always(written(1, R"("complete":false,"closed":false,"why":"ended")"))}};
    const auto run = [&daemon](std::vector<std::string> more) {
        std::vector<std::string> all{"--socket", daemon.path(), "input", "0000"};
        all.insert(all.end(), more.begin(), more.end());
        return agentctl(all);
    };
    CHECK(run({"yes"}).exit_code == 0);
    CHECK(run({"-n", "yes", "--eof"}).exit_code == 0);
    const auto part = run({"yes"});
    CHECK(part.exit_code == 7);
    CHECK(part.err == "agentctl: the job took 2 of 4 bytes: the job did not read more in time\n");
    CHECK(run({"yes"}).exit_code == 5);
    const auto requests = daemon.requests();
    REQUIRE(requests.size() == 4);
    CHECK(line_of(requests[0]) == "POST /v1/jobs/0000/input");
    CHECK(header_of(requests[0], "Content-Type") == "application/octet-stream");
    CHECK(body_of(requests[0]) == "yes\n");
    CHECK(line_of(requests[1]) == "POST /v1/jobs/0000/input?eof=1");
    CHECK(body_of(requests[1]) == "yes");
    CHECK(run({}).exit_code == 2);
}

TEST_CASE("agentctl: an input whose connection breaks is not written a second time")
{
    const auto silent = [](unix_server::peer& client) {
        (void)client.read_request(); // it may have been written
    };
    unix_server daemon{{silent, always(http_answer(200, "{}"))}};
    CHECK(agentctl({"--socket", daemon.path(), "input", "0000", "yes"}).exit_code == 3);
    CHECK(daemon.requests().size() == 1);
}
