// agentctl as a whole against a scripted daemon on a real socket: what is followed.
#include "tests/daemon/ctl/canned.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <csignal>

using namespace agentd::testing;

TEST_CASE("agentctl: run prints the result and ends as the task did")
{
    struct end {
        const char* state;
        const char* error;
        int code;
    };
    const end ends[] = {{"succeeded", "null", 0},
        {"failed", R"({"type":"max_turns","message":"200 turns"})", 1}, {"cancelled", "null", 6}};
    for (const auto& [state, error, code] : ends) {
        CAPTURE(state);
        auto ended = with_result(
            task_json("t_aaaaaaaaaa", state), R"("result":null)", R"("result":"the answer")");
        ended = with_result(ended, R"("error":null)", fmt::format(R"("error":{})", error));
        const auto stream = chunked_head() +
            events_of({event_json(1, "task.started", "t_aaaaaaaaaa"),
                event_json(2, "task.finished", "t_aaaaaaaaaa")}) +
            last_chunk();
        unix_server daemon{
            {in_turn({info, http_answer(202, task_json("t_aaaaaaaaaa", "queued")),
                 http_answer(200, task_json("t_aaaaaaaaaa", "running")), http_answer(200, ended)}),
                always(stream)}};
        const auto done = agentctl({"--socket", daemon.path(), "run", "x"});
        CHECK(done.exit_code == code);
        CHECK(done.out == "the answer\n");
        if (code == 1)
            CHECK(done.err == "agentctl: task t_aaaaaaaaaa failed: max_turns: 200 turns\n");
    }
}

TEST_CASE("agentctl: follow takes a broken stream up at its cursor and shows each event once")
{
    const auto broken = [](unix_server::peer& client) {
        (void)client.read_request();
        client.send(chunked_head() +
            events_of({event_json(4, "task.started", "t_aaaaaaaaaa"),
                R"({"type":"heartbeat","resume_after":6})"}));
    };
    const auto rest = [](unix_server::peer& client) {
        (void)client.read_request();
        client.send(chunked_head());
        for (const char c : events_of({event_json(7, "turn.started", "t_aaaaaaaaaa"),
                                event_json(8, "task.finished", "t_aaaaaaaaaa")}) +
                last_chunk())
            client.send(std::string_view{&c, 1});
    };
    const auto tasks = in_turn({http_answer(200, task_json("t_aaaaaaaaaa", "running")),
        http_answer(200, task_json("t_aaaaaaaaaa", "succeeded"))});
    unix_server daemon{{tasks, broken, rest}};
    const auto done = agentctl({"--socket", daemon.path(), "follow", "t_aaaa", "--json"});
    CHECK(done.exit_code == 0);
    CHECK(done.out ==
        event_json(4, "task.started", "t_aaaaaaaaaa") + "\n" +
            event_json(7, "turn.started", "t_aaaaaaaaaa") + "\n" +
            event_json(8, "task.finished", "t_aaaaaaaaaa") + "\n");
    const auto requests = daemon.requests();
    REQUIRE(requests.size() == 4);
    CHECK(line_of(requests[1]) == "GET /v1/events?task_id=t_aaaaaaaaaa&follow=1");
    CHECK(line_of(requests[2]) == "GET /v1/events?after=6&task_id=t_aaaaaaaaaa&follow=1");
}

TEST_CASE("agentctl: a follower that was cut off as too slow goes on where it was told to")
{
    const auto lagged = [](unix_server::peer& client) {
        (void)client.read_request();
        client.send(chunked_head() +
            events_of({event_json(1, "task.started", "t_aaaaaaaaaa"),
                R"({"type":"lagged","resume_after":1})"}) +
            last_chunk());
    };
    const auto rest =
        always(chunked_head() + events_of({event_json(2, "task.finished", "t_x")}) + last_chunk());
    unix_server daemon{{lagged, rest}};
    const auto done =
        agentctl({"--socket", daemon.path(), "events", "-f", "--limit", "2", "--json"});
    CHECK(done.exit_code == 0);
    CHECK(done.out ==
        event_json(1, "task.started", "t_aaaaaaaaaa") + "\n" +
            event_json(2, "task.finished", "t_x") + "\n");
    CHECK(line_of(daemon.requests().at(1)) == "GET /v1/events?after=1&follow=1");
}

TEST_CASE("agentctl: events without -f are read page by page to the end")
{
    const auto first = chunked_head() +
        events_of({event_json(1, "a", "t"), event_json(2, "b", "t")}) + last_chunk();
    unix_server daemon{{always(first), always(chunked_head() + last_chunk())}};
    const auto done = agentctl({"--socket", daemon.path(), "events", "--json"});
    CHECK(done.exit_code == 0);
    CHECK(done.out == event_json(1, "a", "t") + "\n" + event_json(2, "b", "t") + "\n");
    CHECK(line_of(daemon.requests().at(1)) == "GET /v1/events?after=2&limit=200");
}

TEST_CASE("agentctl: wait --any sees an end that comes while it looks")
{
    const auto calls = in_turn({http_answer(200, R"({"items":[],"next":null,"seq":41})"),
        http_answer(200, task_json("t_aaaaaaaaaa", "running")),
        http_answer(200, task_json("t_bbbbbbbbbb", "running")),
        http_answer(200, task_json("t_bbbbbbbbbb", "succeeded"))});
    const auto stream = [](unix_server::peer& client) {
        (void)client.read_request();
        client.send(chunked_head() +
            events_of({event_json(42, "task.finished", "t_other"),
                event_json(43, "task.finished", "t_bbbbbbbbbb")}));
        (void)client.read_request(); // stays open
    };
    unix_server daemon{{calls, stream}};
    const auto done = agentctl({"--socket", daemon.path(), "wait", "--any", "t_aaaa", "t_bbbb"});
    CHECK(done.exit_code == 0);
    CHECK(done.out == "t_bbbbbbbbbb succeeded\n");
    const auto requests = daemon.requests();
    CHECK(line_of(requests.at(3)) == "GET /v1/events?after=41&types=task.finished&follow=1");
}

TEST_CASE("agentctl: output goes on behind a gap, says so, and filters what acts on a terminal")
{
    const auto one = [](std::string answer) {
        return [answer = std::move(answer)](unix_server::peer& client) {
            (void)client.read_request();
            client.send(answer);
        };
    };
    const std::vector<unix_server::script> answers{
        one(http_answer(200, "head\x1b[31m\n", "X-Next-Offset: 10\r\n")),
        one(http_answer(200, "tail\n", "X-Gap: 10-100\r\nX-Next-Offset: 105\r\n")),
        one(http_answer(200, "", "X-Next-Offset: 105\r\n"))};
    {
        unix_server daemon{answers};
        const auto done = agentctl({"--socket", daemon.path(), "output", "1f3a"});
        CHECK(done.exit_code == 0);
        CHECK(done.out == "head\ntail\n");
        CHECK(done.err == "[90 bytes left out]\n");
        const auto requests = daemon.requests();
        REQUIRE(requests.size() == 3);
        CHECK(line_of(requests[0]) == "GET /v1/jobs/1f3a/output?offset=0");
        CHECK(line_of(requests[1]) == "GET /v1/jobs/1f3a/output?offset=10");
        CHECK(line_of(requests[2]) == "GET /v1/jobs/1f3a/output?offset=105");
    }
    unix_server daemon{answers};
    CHECK(agentctl({"--socket", daemon.path(), "output", "1f3a", "--raw"}).out ==
        "head\x1b[31m\ntail\n");
}

TEST_CASE("agentctl: a followed output survives a lost connection without loss or repetition")
{
    const auto half = [](unix_server::peer& client) {
        (void)client.read_request();
        client.send(chunked_head() + chunk("one\n"));
    };
    const auto rest = [](unix_server::peer& client) {
        (void)client.read_request();
        client.send(chunked_head() + chunk("two\n") + last_chunk());
    };
    unix_server daemon{{half, rest, always(chunked_head() + last_chunk())}};
    const auto done = agentctl({"--socket", daemon.path(), "output", "1f3a", "-f"});
    CHECK(done.exit_code == 0);
    CHECK(done.out == "one\ntwo\n");
    CHECK(line_of(daemon.requests().at(1)) == "GET /v1/jobs/1f3a/output?offset=4&follow=1");
}

TEST_CASE("agentctl: a followed job that is silent when the connection breaks is asked for again")
{
    const auto silent = [](unix_server::peer& client) {
        (void)client.read_request();
        client.send(chunked_head());
    };
    const auto rest = [](unix_server::peer& client) {
        (void)client.read_request();
        client.send(chunked_head() + chunk("one\n") + last_chunk());
    };
    {
        unix_server daemon{{silent, silent, rest, always(chunked_head() + last_chunk())}};
        const auto done = agentctl({"--socket", daemon.path(), "output", "1f3a", "-f"});
        CHECK(done.exit_code == 0);
        CHECK(done.out == "one\n");
    }
    unix_server never{{silent}};
    CHECK(agentctl({"--socket", never.path(), "output", "1f3a", "-f"}).exit_code == 3);
}

TEST_CASE("agentctl: a tail that was cut off goes on behind what came of it")
{
    const auto half = [](unix_server::peer& client) {
        (void)client.read_request();
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\nX-Offset: 100\r\n\r\none\n");
    };
    unix_server daemon{{half, in_turn({http_answer(200, "two\n")}), always(http_answer(200, ""))}};
    const auto done = agentctl({"--socket", daemon.path(), "output", "1f3a", "--tail-lines", "2"});
    CHECK(done.exit_code == 0);
    CHECK(done.out == "one\ntwo\n");
    CHECK(line_of(daemon.requests().at(1)) == "GET /v1/jobs/1f3a/output?offset=104");
}

TEST_CASE("agentctl: output --timestamps goes on where a connection broke, by the job's own bytes")
{
    const std::string one{"2026-11-20T14:00:00.001Z "}, two{"2026-11-20T14:00:00.002Z "};
    const auto half = [&](unix_server::peer& client) {
        (void)client.read_request();
        client.send(chunked_head() + chunk(one + "one\n" + two + "tw"));
    };
    const auto within_time = [&](unix_server::peer& client) {
        (void)client.read_request();
        client.send(chunked_head() + chunk(two + "o\n" + two.substr(0, 7)));
    };
    const auto rest = [&](unix_server::peer& client) {
        (void)client.read_request();
        client.send(chunked_head() + chunk(two + "three\n- four") + last_chunk());
    };
    unix_server daemon{{half, within_time, rest, always(chunked_head() + last_chunk())}};
    const auto done = agentctl({"--socket", daemon.path(), "output", "1f3a", "-f", "--timestamps"});
    CHECK(done.exit_code == 0);
    CHECK(done.out == one + "one\n" + two + "two\n" + two + "three\n- four");
    const auto requests = daemon.requests();
    CHECK(line_of(requests.at(0)) == "GET /v1/jobs/1f3a/output?offset=0&timestamps=1&follow=1");
    CHECK(line_of(requests.at(1)) == "GET /v1/jobs/1f3a/output?offset=6&timestamps=1&follow=1");
    CHECK(line_of(requests.at(2)) == "GET /v1/jobs/1f3a/output?offset=8&timestamps=1&follow=1");
    CHECK(line_of(requests.at(3)) == "GET /v1/jobs/1f3a/output?offset=18&timestamps=1&follow=1");
}

TEST_CASE("agentctl: an interrupt ends the client with 130, not the task")
{
    const auto interrupting = [](unix_server::peer& client) {
        (void)client.read_request();
        ::kill(::getpid(), SIGINT);
        (void)client.read_request(); // until the client leaves
    };
    unix_server daemon{
        {in_turn({http_answer(200, task_json("t_aaaaaaaaaa", "running"))}), interrupting}};
    const auto done = agentctl({"--socket", daemon.path(), "follow", "t_aaaaaaaaaa"});
    CHECK(done.exit_code == 130);
    CHECK(done.err == "interrupted; task t_aaaaaaaaaa goes on\n");
}
