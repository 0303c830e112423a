// The built agentd behind a proxy that its environment names: whole tasks through it, and its
// password in nothing that anybody can read.
#include "tests/support/byte_server.hpp"
#include "tests/support/harness/world.hpp"
#include "tests/support/model_bytes.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <string>

using namespace agentd::testing;

namespace {

namespace js = boost::json;

constexpr const char* target = "model.example.invalid"; // known to the proxy alone
constexpr const char* password = "pw-canary-90d1c7";
constexpr const char* encoded = "dXNlcjpwdy1jYW5hcnktOTBkMWM3"; // user:pw-canary-90d1c7

struct behind {
    explicit behind(byte_server::script proxy_does)
        : proxy({std::move(proxy_does)}), ca(files / "ca.pem")
    {
        write_file(ca, made.ca);
    }

    [[nodiscard]] world_options options() const
    {
        world_options how;
        how.model_url = std::string{"https://"} + target;
        how.ca_file = ca;
        how.model_config = "retry_attempts = 0\n";
        how.env = {{"HTTPS_PROXY",
            "http://user:" + std::string{password} + "@127.0.0.1:" + std::to_string(proxy.port())}};
        return how;
    }

    scratch_folder files;
    certificate made = make_certificate({.names = std::string{"DNS:"} + target});
    byte_server proxy;
    std::string ca;
};

void check_secret(const std::string& where)
{
    for (const auto* secret : {password, encoded})
        CHECK_MESSAGE(where.find(secret) == std::string::npos, where);
}

// Everything that was told of it.
void check_secrets(world& w, const js::object& task)
{
    check_secret(js::serialize(task));
    check_secret(js::serialize(w.json(200, "GET", "/v1/health")));
    const auto events = w.call("GET", "/v1/events?limit=200");
    CHECK(events.body.find("task.finished") != std::string::npos);
    check_secret(events.body);
    CHECK(w.stop_daemon(SIGTERM) == 0);
    check_secret(w.log());
}

} // namespace

TEST_CASE("case 72 proxy_connect: a task of the built agentd, by HTTPS_PROXY of its environment")
{
    const certificate made = make_certificate({.names = std::string{"DNS:"} + target});
    const byte_server model{{answering(streamed(text_stream("through")))}, made};
    behind with{[port = model.port()](peer& client) {
        client.read_request();
        client.send("HTTP/1.1 200 ok\r\n\r\n");
        client.relay(port);
    }};
    write_file(with.ca, made.ca);
    world w{with.options()};
    const auto task = w.ended(w.submit("go"));
    CHECK(task.at("state") == "succeeded");
    CHECK(task.at("result") == "through");
    CHECK(with.proxy.requests().at(0).starts_with(
        std::string{"CONNECT "} + target + ":443 HTTP/1.1\r\n"));
    CHECK(with.proxy.requests().at(0).find(std::string{"Basic "} + encoded) != std::string::npos);
    CHECK(model.requests().size() == 1);
    check_secrets(w, task);
}

TEST_CASE("case 72 proxy_407: the task fails with the proxy's reason and without its password")
{
    behind with{[](peer& client) {
        const auto head = client.read_request();
        client.send(reply(407, "text/plain", "who are you? " + head));
    }};
    world w{with.options()};
    const auto task = w.ended(w.submit("go"));
    CHECK(task.at("state") == "failed");
    const auto& error = task.at("error").as_object();
    CHECK(error.at("type") == "model_error");
    const std::string message{error.at("message").as_string()};
    CHECK_MESSAGE(message.find("(status 407): who are you?") != std::string::npos, message);
    CHECK(with.proxy.connections() == 1);
    check_secrets(w, task);
}
