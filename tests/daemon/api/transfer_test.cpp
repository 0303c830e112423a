// Sessions out and in: the lines of an export, and a body that comes in pieces.
#include "base/import_limits.hpp"
#include "tests/daemon/api/running_api.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace agentd;
using testing::running_api;

namespace {

const std::string exported_path{"/v1/sessions/s_abcdefghij"};

} // namespace

TEST_CASE("an export has the session, all its messages and a last line")
{
    running_api api;
    const auto answer = api.call("GET", exported_path + "/export");
    CHECK(answer.header("content-type") == "application/x-ndjson");
    std::size_t lines = 0;
    for (const char c : answer.body)
        lines += c == '\n' ? 1 : 0;
    CHECK(lines == 453);
    CHECK(answer.body.starts_with(R"({"record":"session","version":2,"session":{"id":"s_)"));
    CHECK(answer.body.ends_with("{\"record\":\"end\",\"epochs\":1,\"messages\":450}\n"));
}

TEST_CASE("an import comes in pieces and may be larger than any other body")
{
    running_api api;
    const std::string lines(limits::api_body_bytes + 12'345, 'x');
    auto client = api.client();
    // By hand: nobody wants to read these bytes again in the record of all calls.
    client.send(testing::request_text("POST", "/v1/sessions/import?workdir=/w", lines, {}));
    const auto made = client.receive();
    REQUIRE(made);
    CHECK(made->status == 201);
    CHECK(made->header("location") == "/v1/sessions/s_abcdefghij");
    CHECK(api.service.imported_bytes == lines.size());
    CHECK(api.service.largest_piece < limits::api_body_bytes / 4);
    CHECK(api.service.last_import.workdir == "/w");
    CHECK(client.call("GET", "/v1/sessions").status == 200); // the connection goes on

    // One that nobody reads to its end is the connection's last.
    api.service.fail_with(base::error{session::errc::draining, "stopping"});
    client.send(testing::request_text("POST", "/v1/sessions/import", lines, {}));
    const auto refused = client.receive();
    REQUIRE(refused);
    CHECK(refused->status == 503);
    CHECK(refused->header("connection") == "close");
    api.service.fail_with(std::nullopt);
    const std::string beyond = "POST /v1/sessions/import HTTP/1.1\r\nHost: a\r\nContent-Length: ";
    auto other = api.client();
    other.send(beyond + std::to_string(limits::import_bytes + 1) + "\r\n\r\n");
    const auto too_large = other.receive();
    REQUIRE(too_large);
    CHECK(too_large->status == 413);
    CHECK(api.call("POST", "/v1/sessions/import?fresh=1&workdir=/w").status == 400);
}
