// Proxies: what is said to them, what is not, and what a refusal comes to. The servers of these
// tests have names that only the proxy can find: a client that looked them up itself would fail.
#include "model/error.hpp"
#include "model/proxy.hpp"
#include "tests/daemon/model/asked.hpp"
#include "tests/daemon/model/secured.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

namespace {

constexpr const char* target = "model.example.invalid";
constexpr const char* opened = "HTTP/1.1 200 Connection established\r\n\r\n";
// user@home, "p:a/ss%" and what RFC 7617 makes of them.
constexpr const char* userinfo = "user%40home:p:a%2Fss%25@";
constexpr const char* encoded = "dXNlckBob21lOnA6YS9zcyU=";

std::string at(const byte_server& proxy, const std::string& credentials = "")
{
    return "http://" + credentials + "127.0.0.1:" + std::to_string(proxy.port());
}

// A server behind a proxy.
struct behind {
    explicit behind(byte_server::script script = answering(streamed(text_stream())))
        : made(make_certificate({.names = std::string{"DNS:"} + target})),
          ca(made.ca),
          server({std::move(script)}, made)
    {}

    // A proxy that leads here, whatever it is asked for.
    [[nodiscard]] byte_server::script leading() const
    {
        return [port = server.port()](peer& with) {
            with.read_request();
            with.send(opened);
            with.relay(port);
        };
    }
    [[nodiscard]] model::options options(const byte_server& proxy) const
    {
        auto with = options_for(server);
        with.base_url = std::string{"https://"} + target;
        with.ca_file = ca.path();
        with.proxy = at(proxy);
        return with;
    }

    certificate made;
    ca_file ca;
    byte_server server;
};

model::options through(const byte_server& proxy)
{
    auto with = options_for(proxy);
    with.base_url = std::string{"https://"} + target;
    with.proxy = at(proxy);
    with.retry_attempts = 3;
    return with;
}

} // namespace

TEST_CASE("case 72 proxy_connect: a tunnel by the target's name, SNI and TLS within it")
{
    shared_text name;
    const behind there{[&name](peer& with) {
        name.set(with.sni());
        while (!with.read_request().empty())
            with.send(streamed(text_stream("through")));
    }};
    const byte_server proxy{{there.leading()}};
    const auto all = ask_in_turn(there.options(proxy), 2);
    for (const auto& one : all) {
        REQUIRE_MESSAGE(one.outcome.has_value(), one.message());
        CHECK(one.text() == "through");
    }
    CHECK(name.get() == target);
    // One tunnel for both; what is meant for the server was not said to the proxy.
    CHECK(proxy.requests() ==
        std::vector<std::string>{std::string{"CONNECT "} + target +
            ":443 HTTP/1.1\r\nhost: " + target + ":443\r\n\r\n"});
    REQUIRE(there.server.requests().size() == 2);
    CHECK(there.server.requests()[0].starts_with("POST /v1/messages HTTP/1.1\r\nhost: model"));
}

TEST_CASE("case 72 proxy_connect: user and password go to the proxy, decoded, and no further")
{
    const behind there;
    const byte_server proxy{{there.leading()}};
    auto with = there.options(proxy);
    with.proxy = at(proxy, userinfo);
    const auto got = ask(with);
    REQUIRE_MESSAGE(got.outcome.has_value(), got.message());
    const auto head = proxy.requests().at(0);
    CHECK(head.find(std::string{"\r\nproxy-authorization: Basic "} + encoded + "\r\n") !=
        std::string::npos);
    CHECK(head.find(with.key.value) == std::string::npos);
    CHECK(there.server.requests().at(0).find("proxy-authorization") == std::string::npos);
    CHECK(there.server.requests().at(0).find(with.key.value) != std::string::npos);
}

TEST_CASE("case 72 proxy_connect: a certificate that is not the target's is refused in the tunnel")
{
    const behind there;
    const byte_server proxy{{there.leading()}};
    auto with = there.options(proxy);
    with.base_url = "https://other.example.invalid";
    const auto got = ask(with);
    CHECK(got.type() == "tls_error");
    CHECK(got.message().find("hostname mismatch") != std::string::npos);
    CHECK(there.server.requests().empty());
}

TEST_CASE("case 72 proxy_407: final, with the proxy's words, without the credentials it was sent")
{
    const byte_server proxy{{[](peer& with) {
        const auto head = with.read_request();
        with.send(reply(407, "text/plain", "not you: p:a/ss% " + head,
            "proxy-authenticate: Basic realm=\"x\"\r\n"));
    }}};
    auto with = through(proxy);
    with.proxy = at(proxy, userinfo);
    auto got = ask(with);
    CHECK(got.type() == "proxy_error");
    CHECK(got.retries.empty());
    CHECK(proxy.connections() == 1);
    CHECK(
        got.message().find("refuses its credentials (status 407): not you: ") != std::string::npos);
    for (const auto* secret : {encoded, "p:a/ss%", "p:a%2Fss%25"})
        CHECK_MESSAGE(got.message().find(secret) == std::string::npos, got.message());

    const byte_server open_to_members{{once(reply(407, "text/html", ""))}};
    got = ask(through(open_to_members));
    CHECK(got.type() == "proxy_error");
    CHECK(got.message() ==
        "the proxy 127.0.0.1:" + std::to_string(open_to_members.port()) +
            " wants a user and a password (status 407)");
}

TEST_CASE("case 72 proxy_407: a user without a password is as secret as one")
{
    const byte_server proxy{{[](peer& with) {
        with.read_request();
        with.send(reply(407, "text/plain", "not TOK/en, nor TOK%2Fen"));
    }}};
    auto with = through(proxy);
    for (const auto* credentials : {"TOK%2Fen:@", "TOK%2Fen@"}) {
        with.proxy = at(proxy, credentials);
        CHECK(ask(with).message().ends_with(": not [credential], nor [credential]"));
    }
}

TEST_CASE("case 72 no_proxy: who is named there, and this machine, is reached without the proxy")
{
    const byte_server proxy{{once(reply(403, "text/plain", "no"))}};
    const byte_server direct{{answering(streamed(text_stream()))}};
    auto with = options_for(direct);
    with.proxy = at(proxy); // 127.0.0.1 needs no entry
    CHECK(ask(with).outcome.has_value());
    CHECK(proxy.connections() == 0);

    with = through(proxy);
    with.no_proxy = {"elsewhere.invalid", "example.invalid"};
    with.retry_attempts = 1;
    with.limits.connect = 1s; // to find that there is no such name
    auto got = ask(with);
    CHECK(got.type() == "connect_error");
    CHECK(got.message().find(std::string{"cannot find the address of "} + target) !=
        std::string::npos);
    CHECK(proxy.connections() == 0);

    with.no_proxy = {"elsewhere.invalid"};
    CHECK(ask(with).type() == "proxy_error");
    CHECK(proxy.connections() == 1);
}

TEST_CASE("proxy: what may pass is tried again, what will not is final, both with its words")
{
    const behind there;
    const byte_server recovers{{once(reply(503, "text/html", "<h1>busy</h1>")), there.leading()}};
    auto with = there.options(recovers);
    with.retry_attempts = 2;
    const auto got = ask(with);
    REQUIRE_MESSAGE(got.outcome.has_value(), got.message());
    REQUIRE(got.retries.size() == 1);
    CHECK(got.retries[0].first.type == "connect_error");
    CHECK(got.retries[0].first.message.ends_with(
        "refuses a tunnel to " + std::string{target} + ":443 (status 503): <h1>busy</h1>"));

    const byte_server forbids{{once(reply(403, "text/plain", std::string(5000, 'x')))}};
    const auto refused = ask(through(forbids));
    CHECK(refused.type() == "proxy_error");
    CHECK(refused.retries.empty());
    CHECK(refused.message().size() > 900);
    CHECK(refused.message().size() < 1200);
}

TEST_CASE("proxy: one that is silent, closes, is none, or says too much opens no tunnel")
{
    const auto fails = [](byte_server::script script, std::string_view why) {
        const byte_server proxy{{std::move(script)}};
        auto with = through(proxy);
        with.retry_attempts = 1;
        with.limits.connect = 1s;
        const auto got = ask(with);
        CHECK(got.type() == "connect_error");
        CHECK_MESSAGE(got.message().find(why) != std::string::npos, got.message());
        CHECK(got.message().find("opens no tunnel to " + std::string{target} + ":443") !=
            std::string::npos);
        CHECK(got.took < 5s);
    };
    fails([](peer& with) { with.client_leaves(10s); }, "no answer within 1000 ms");
    fails([](peer& with) { with.read_head(); }, "it closed the connection");
    fails(once("SSH-2.0-OpenSSH\r\n"), "no HTTP");
    fails(once("HTTP/1.1 200 OK\r\nx: " + std::string(70'000, 'x') + "\r\n\r\n"), "no HTTP");
    fails(once(std::string{opened} + "220 smtp ready\r\n"), "something behind the head");
}

TEST_CASE("proxy: a refusal without an end is told all the same")
{
    const byte_server proxy{{[](peer& with) {
        with.read_request();
        with.send("HTTP/1.1 403 no\r\ncontent-length: 1000\r\n\r\nnot today");
        with.client_leaves(10s);
    }}};
    const auto got = ask(through(proxy));
    CHECK(got.type() == "proxy_error");
    CHECK(got.message().ends_with("(status 403): not today"));
    CHECK(got.took < 3s);
}

TEST_CASE("proxy: plain http is forwarded by it, the target in absolute form")
{
    const byte_server proxy{{answering(streamed(text_stream()))}};
    auto with = options_for(proxy);
    with.base_url = std::string{"http://"} + target + ":8080/base";
    with.allow_plain_http = true;
    with.proxy = at(proxy, userinfo);
    const auto got = ask(with);
    REQUIRE_MESSAGE(got.outcome.has_value(), got.message());
    const auto request = proxy.requests().at(0);
    CHECK(request.starts_with(std::string{"POST http://"} + target +
        ":8080/base/v1/messages HTTP/1.1\r\nhost: " + target + ":8080\r\n"));
    CHECK(request.find(std::string{"\r\nproxy-authorization: Basic "} + encoded + "\r\n") !=
        std::string::npos);

    const byte_server refuses{{[](peer& to) {
        const auto head = to.read_request();
        const auto field = head.substr(head.find("Basic ") + 6, std::strlen(encoded));
        to.send(reply(407, "application/json",
            R"({"type":"error","error":{"type":"proxy_error","message":"not )" + field +
                R"( nor p:a/ss%"}})"));
    }}};
    with.proxy = at(refuses, userinfo);
    with.retry_attempts = 3;
    const auto refused = ask(with);
    CHECK(refused.outcome.error().status == 407);
    CHECK(refused.retries.empty());
    CHECK(refused.message().find("not [credential] nor [credential]") != std::string::npos);
}

TEST_CASE("proxy: one that cannot be connected to is told apart from the server")
{
    const byte_server gone{{once("")}};
    auto with = through(gone);
    with.proxy = "127.0.0.2:" + std::to_string(gone.port()); // nobody is there
    with.retry_attempts = 1;
    const auto got = ask(with);
    CHECK(got.type() == "connect_error");
    CHECK(got.message().starts_with("the proxy: cannot connect to 127.0.0.2:"));
}

TEST_CASE("proxy: what a value must be; no error quotes it")
{
    const auto read = [](std::string_view text) {
        const auto got = model::parse_proxy(text);
        return got ? got->at.authority() + " " + got->authorization
                   : "refused: " + got.error().text;
    };
    CHECK(read("http://h:3128") == "h:3128 ");
    CHECK(read(" h ") == "h ");
    CHECK(read("HTTP://[::1]:8080/") == "[::1]:8080 ");
    CHECK(read("http://u@h") == "h Basic dTo=");
    CHECK(read("u:p@h:1") == "h:1 Basic dTpw");
    CHECK(read("http://:@h") == "h ");
    CHECK(read("http://u:p@ss@h") == "h Basic dTpwQHNz");
    CHECK(read("socks5h://h").find("SOCKS is not supported") != std::string::npos);
    CHECK(read("https://h").find("over TLS is not supported") != std::string::npos);
    for (const auto* bad : {"", "ftp://h", "http://u:secret@", "http://u:secret@h:0",
             "http://u:secret%zz@h", "http://u:secret%4", "http://u:se%cret@h",
             "http://u:x/secret@h", "http://h?secret", "http://secret h"}) {
        const auto got = read(bad);
        CHECK_MESSAGE(got.starts_with("refused: "), bad);
        CHECK_MESSAGE(got.find("secret") == std::string::npos, got);
    }
}

TEST_CASE("proxy: who is reached directly")
{
    const auto direct = [](const char* base, std::vector<std::string> entries) {
        return model::is_reached_directly(*model::parse_base_url(base, true), entries);
    };
    for (const auto* here : {"http://localhost", "https://LOCALHOST", "https://127.0.0.1:1",
             "https://127.9.9.9", "https://[::1]"})
        CHECK_MESSAGE(direct(here, {}), here);
    CHECK_FALSE(direct("https://api.example.com", {}));
    CHECK(direct("https://api.example.com", {" * "}));
    CHECK(direct("https://api.example.com", {"other", "example.com"}));
    CHECK(direct("https://API.example.COM", {"api.EXAMPLE.com"}));
    CHECK(direct("https://api.example.com", {".example.com"}));
    CHECK(direct("https://api.example.com", {"example.com:443"}));
    CHECK_FALSE(direct("https://api.example.com", {"example.com:8443"}));
    CHECK_FALSE(direct("https://badexample.com", {"example.com"}));
    CHECK_FALSE(direct("https://example.com.evil.net", {"example.com"}));
    CHECK_FALSE(direct("https://x.localhost.net", {"localhost", "", "."}));
    CHECK(direct("https://10.0.0.1", {"10.0.0.1"}));
    CHECK_FALSE(direct("https://10.0.0.1", {"10.0.0.0/8", "0.0.1", "10.0.0"}));
    CHECK(direct("https://[2001:db8::1]", {"2001:db8::1"}));
    CHECK(direct("https://[2001:db8::1]", {"[2001:db8::1]:443"}));
}

TEST_CASE("proxy: none, and none where it is not needed; what cannot be used is said by check")
{
    model::options what;
    what.key.value = "sk";
    what.proxy = "none";
    CHECK(model::check(what).has_value());
    what.proxy = "socks5://u:secret@h";
    const auto refused = model::check(what);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().text.find("SOCKS") != std::string::npos);
    CHECK(refused.error().text.find("secret") == std::string::npos);
    what.base_url = "http://localhost:1";
    CHECK(model::check(what).has_value());
    CHECK(model::without_credentials("http://u:p@h:1") == "http://***@h:1");
    CHECK(model::without_credentials("u:p@x@h") == "***@h");
    CHECK(model::without_credentials("http://h:1") == "http://h:1");
}
