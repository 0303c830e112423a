#include "tests/daemon/api/running_api.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace agentd;
using namespace std::chrono_literals;
using testing::own_bounds;
using testing::request_text;
using testing::running_api;

namespace {

const std::string submit_bytes{R"({"prompt":"p"})"};

struct bad_text {
    std::string bytes;
    int status;
    std::string problem;
};

} // namespace

TEST_CASE("http: one connection carries one request after another")
{
    running_api api;
    auto client = api.client();
    for (int i = 0; i < 3; ++i) {
        const auto answer = client.call("GET", "/v1/health");
        CHECK(answer.status == 200);
        CHECK(answer.header("content-type") == "application/json");
        CHECK(answer.header("connection").empty());
    }
    CHECK(api.server->connections() == 1);
}

TEST_CASE("http: requests sent ahead are answered in order, also with bodies")
{
    running_api api;
    auto client = api.client();
    std::string all;
    for (int i = 0; i < 20; ++i) {
        all += request_text("POST", "/v1/tasks", submit_bytes, {});
        all += "\r\n"; // an empty line between requests is allowed
        all += request_text("GET", "/v1/jobs/1f3a9c02", {}, {});
        all += request_text("GET", "/nowhere", {}, {});
    }
    CHECK(client.send(all));
    for (int i = 0; i < 20; ++i) {
        const auto submitted = client.receive();
        REQUIRE(submitted);
        CHECK(submitted->status == 202);
        const auto job = client.receive();
        REQUIRE(job);
        CHECK(job->status == 200);
        const auto lost = client.receive();
        REQUIRE(lost);
        CHECK(lost->status == 404);
    }
}

TEST_CASE("http: a request may come byte by byte")
{
    running_api api;
    auto client = api.client();
    for (const char c : request_text("POST", "/v1/tasks", submit_bytes, {}))
        CHECK(client.send({&c, 1}));
    const auto answer = client.receive();
    REQUIRE(answer);
    CHECK(answer->status == 202);
}

TEST_CASE("http: a chunked request is put together")
{
    running_api api;
    auto client = api.client();
    CHECK(client.send("POST /v1/tasks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "5\r\n{\"pro\r\n9\r\nmpt\":\"p\"}\r\n0\r\n\r\n"));
    const auto answer = client.receive();
    REQUIRE(answer);
    CHECK(answer->status == 202);
    CHECK(api.service.last_submit.prompt == "p");
}

TEST_CASE("http: what is no request is answered with 400 and the connection closed")
{
    running_api api;
    const bad_text rows[] = {
        {"nonsense\r\n\r\n", 400, "malformed_http"},
        {"GET /v1/health HTTP/3.7\r\n\r\n", 400, "malformed_http"},
        {"GET /v1/health\r\n\r\n", 400, "malformed_http"},
        {"GET v1/health HTTP/1.1\r\n\r\n", 400, "malformed_http"},
        {"GET http://x/v1/health HTTP/1.1\r\n\r\n", 400, "malformed_http"},
        {"GET /v1/%zz HTTP/1.1\r\n\r\n", 400, "malformed_http"},
        {"GET /v1/%00 HTTP/1.1\r\n\r\n", 400, "malformed_http"},
        {"GET /v1/%ff HTTP/1.1\r\n\r\n", 400, "malformed_http"},
        {"GET /v1/health?a=%4 HTTP/1.1\r\n\r\n", 400, "malformed_http"},
        {"GET /v1/health HTTP/1.1\r\nno colon\r\n\r\n", 400, "malformed_http"},
        {"GET /v1/health HTTP/1.1\r\nA : b\r\n\r\n", 400, "malformed_http"},
        {"GET /v1/health HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "malformed_http"},
        {"GET /v1/health HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400,
            "malformed_http"},
        {"POST /v1/tasks HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400,
            "malformed_http"},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed_http"}, // TLS
        {"POST /v1/tasks HTTP/1.1\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\nx", 417,
            "expectation_failed"},
        {"GET /v1/health HTTP/1.1\r\nA: " + std::string(70'000, 'x') + "\r\n\r\n", 431,
            "header_too_large"},
        {"GET /" + std::string(70'000, 'x') + " HTTP/1.1\r\n\r\n", 431, "header_too_large"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.bytes.substr(0, 80));
        auto client = api.client();
        CHECK(client.send(row.bytes));
        const auto answer = client.receive();
        REQUIRE(answer);
        CHECK(answer->status == row.status);
        CHECK(answer->problem() == row.problem);
        CHECK(answer->header("connection") == "close");
        CHECK(client.closed());
        client.note("GET", "/v1/health", *answer);
    }
    CHECK(api.call("GET", "/v1/health").status == 200);
}

TEST_CASE("http: a body beyond the bound is refused by its length, before it is sent")
{
    running_api api;
    auto client = api.client();
    CHECK(client.send("POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n"));
    const auto answer = client.receive();
    REQUIRE(answer);
    CHECK(answer->status == 413);
    CHECK(answer->problem() == "too_large");
    client.note("POST", "/v1/tasks", *answer);
    client.finish_sending();
    CHECK(client.closed());
}

TEST_CASE("http: a client that sends 100 MB before it reads still hears why they are refused")
{
    running_api api;
    auto client = api.client();
    const std::string head =
        "POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n";
    CHECK(client.send(head + std::string(104'857'600, 'x')));
    const auto answer = client.receive();
    REQUIRE(answer);
    CHECK(answer->status == 413);
}

TEST_CASE("http: a chunked body beyond the bound is refused where it gets too long")
{
    auto bounds = own_bounds();
    bounds.body_bytes = 1000;
    running_api api{bounds};
    auto client = api.client();
    CHECK(client.send("POST /v1/tasks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 20; ++i)
        client.send("64\r\n" + std::string(100, 'x') + "\r\n");
    const auto answer = client.receive();
    REQUIRE(answer);
    CHECK(answer->status == 413);
}

TEST_CASE("http: Expect: 100-continue is answered before the body, or with the refusal")
{
    running_api api;
    const testing::header_list expect{{"Expect", "100-continue"}};
    auto client = api.client();
    const auto whole = request_text("POST", "/v1/tasks", submit_bytes, expect);
    CHECK(client.send(whole.substr(0, whole.size() - submit_bytes.size())));
    const auto go_on = client.receive();
    REQUIRE(go_on);
    CHECK(go_on->status == 100);
    CHECK(client.send(submit_bytes));
    const auto answer = client.receive();
    REQUIRE(answer);
    CHECK(answer->status == 202);

    auto greedy = api.client();
    CHECK(greedy.send("POST /v1/tasks HTTP/1.1\r\nExpect: 100-continue\r\n"
                      "Content-Length: 99999999\r\n\r\n"));
    const auto refused = greedy.receive();
    REQUIRE(refused);
    CHECK(refused->status == 413);
}

TEST_CASE("http: other methods are 405 with the path's own, HEAD without a body")
{
    running_api api;
    const auto patch = api.call("PATCH", "/v1/tasks");
    CHECK(patch.status == 405);
    CHECK(patch.header("allow") == "POST, GET");
    CHECK(patch.problem() == "method_not_allowed");
    const auto made_up = api.call("FROBNICATE", "/v1/sessions/s_abcdefghij");
    CHECK(made_up.status == 405);
    CHECK(made_up.header("allow") == "GET, DELETE");
    auto client = api.client();
    CHECK(client.send("HEAD /v1/health HTTP/1.1\r\nHost: x\r\n\r\n"));
    const auto head = client.receive_head();
    REQUIRE(head);
    CHECK(head->status == 405);
    CHECK(client.call("GET", "/v1/health").status == 200); // nothing of a body in between
}

TEST_CASE("http: unknown paths are 404 problems")
{
    running_api api;
    for (const std::string path :
        {"/", "/v1", "/v2/tasks", "/v1/tasks/", "/v1/tasks//wait", "/v1/tasks/t_abcd/frobnicate",
            "/v1/health/", "//v1/health", "/metrics/x", "/v1/Tasks"}) {
        CAPTURE(path);
        const auto answer = api.call("GET", path);
        CHECK(answer.status == 404);
        CHECK(answer.problem() == "unknown_path");
    }
    CHECK(api.call("GET", "/v1/sessions/import").status == 405);
}

TEST_CASE("http: an old client gets its answer and the end of the connection")
{
    running_api api;
    auto client = api.client();
    CHECK(client.send("GET /v1/health HTTP/1.0\r\n\r\n"));
    const auto answer = client.receive();
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(answer->header("connection") == "close");
    CHECK(client.closed());
    auto second = api.client();
    CHECK(second.send("GET /v1/events HTTP/1.0\r\n\r\n"));
    api.hub.append("daemon.started");
    const auto stream = second.receive();
    REQUIRE(stream);
    CHECK(stream->header("transfer-encoding").empty());
}

TEST_CASE("http: a client that has finished sending still gets its answer")
{
    running_api api;
    auto client = api.client();
    CHECK(client.send(request_text("GET", "/v1/tasks/t_abcdefghij/wait?timeout_s=0", {}, {})));
    client.finish_sending();
    const auto answer = client.receive();
    REQUIRE(answer);
    CHECK(answer->status == 200);
}

TEST_CASE("http: slow senders meet the deadlines of head and body")
{
    auto bounds = own_bounds();
    bounds.header_deadline = 50ms;
    bounds.body_deadline = 50ms;
    bounds.linger = 50ms;
    running_api api{bounds};
    auto half_head = api.client();
    CHECK(half_head.send("GET /v1/health HT"));
    const auto first = half_head.receive();
    REQUIRE(first);
    CHECK(first->status == 408);
    CHECK(first->problem() == "request_timeout");
    half_head.note("GET", "/v1/health", *first);
    auto half_body = api.client();
    CHECK(half_body.send("POST /v1/tasks HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"));
    const auto second = half_body.receive();
    REQUIRE(second);
    CHECK(second->status == 408);
    auto silent = api.client();
    CHECK(silent.closed()); // nobody asked anything: no answer
    api.await_connections(0);
}

TEST_CASE("http: a connection that idles is closed without a word")
{
    auto bounds = own_bounds();
    bounds.idle = 30ms;
    running_api api{bounds};
    auto client = api.client();
    CHECK(client.call("GET", "/v1/health").status == 200);
    CHECK(client.closed());
}
