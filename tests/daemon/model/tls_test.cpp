// TLS with real handshakes: who is trusted, what is told, what is sent.
#include "tests/daemon/model/asked.hpp"
#include "tests/daemon/model/secured.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

using namespace agentd::testing;
using namespace agentd;

TEST_CASE("case 70 tls_custom_ca: works, SNI is seen by the server, none for an address")
{
    shared_text name;
    const auto script = [&name](peer& with) {
        with.read_request();
        name.set(with.sni());
        with.send(streamed(text_stream()));
    };
    const secured named{{}, script};
    const auto got = ask(named.options());
    REQUIRE_MESSAGE(got.outcome.has_value(), got.message());
    CHECK(got.text() == "Hello \u00e9\U0001F600");
    CHECK(name.get() == "localhost");
    const secured by_address{{}, script};
    CHECK(ask(by_address.options("127.0.0.1")).outcome.has_value());
    CHECK(name.get().empty());
}

TEST_CASE("case 70, by SSL_CERT_FILE; one that cannot be read is said to be so")
{
    const secured one;
    auto with = one.options();
    with.ca_file.clear();
    ::setenv("SSL_CERT_FILE", one.ca.path().c_str(), 1);
    const auto trusted = ask(with);
    ::setenv("SSL_CERT_FILE", "/nonexistent.pem", 1);
    const auto broken = ask(with);
    ::unsetenv("SSL_CERT_FILE");
    CHECK_MESSAGE(trusted.outcome.has_value(), trusted.message());
    CHECK(broken.type() == "tls_error");
    CHECK(broken.message().find("SSL_CERT_FILE /nonexistent.pem") != std::string::npos);
}

TEST_CASE(
    "case 69 tls_bad_ca, tls_wrong_host, tls_expired: refused with the reason, nothing is sent")
{
    const certificate_wish usual;
    const secured unknown{usual};
    auto with = unknown.options();
    with.ca_file.clear();
    auto got = ask(with);
    CHECK(got.type() == "tls_error");
    CHECK(got.message().find("unable to get local issuer certificate") != std::string::npos);
    CHECK(got.message().find("test CA") != std::string::npos);
    CHECK(unknown.server.requests().empty());
    CHECK(unknown.server.connections() == 1); // final: no second attempt

    certificate_wish elsewhere;
    elsewhere.names = "DNS:example.com,IP:10.0.0.1";
    const secured wrong{elsewhere};
    got = ask(wrong.options());
    CHECK(got.type() == "tls_error");
    CHECK(got.message().find("hostname mismatch") != std::string::npos);
    got = ask(wrong.options("127.0.0.1"));
    CHECK(got.message().find("IP address mismatch") != std::string::npos);
    CHECK(wrong.server.requests().empty());

    certificate_wish old;
    old.expired = true;
    const secured expired{old};
    got = ask(expired.options());
    CHECK(got.message().find("certificate has expired") != std::string::npos);
    CHECK(expired.server.requests().empty());
}

TEST_CASE("case 71 tls_truncated: FIN without close_notify within a stream is incomplete")
{
    const secured one{{}, [](peer& with) {
                          with.read_request();
                          with.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
                          with.send(sse({start_event(), text_start(0), text_delta(0, "a")}));
                          with.cut();
                      }};
    auto with = one.options();
    with.retry_attempts = 1;
    const auto got = ask(with);
    CHECK(got.type() == "connection_lost");
    CHECK(got.message().find("without TLS's own end") != std::string::npos);
}

TEST_CASE("case 71, after message_stop it is benign")
{
    const secured one{
        {}, [](peer& with) {
            with.read_request();
            with.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + text_stream());
            with.cut();
        }};
    CHECK(ask(one.options()).outcome.has_value());
}

TEST_CASE("TLS: connections are kept, large requests arrive whole, early refusals are seen")
{
    const secured keeps;
    auto all = ask_in_turn(keeps.options(), 4);
    for (const auto& one : all)
        CHECK(one.outcome.has_value());
    CHECK(keeps.server.connections() == 1);

    const secured large;
    CHECK(ask(large.options(), simple_request(5'000'000)).outcome.has_value());
    const std::string request = large.server.requests().at(0);
    CHECK(request.find(std::string(5'000'000, 'x')) != std::string::npos);

    const secured early{{}, [](peer& with) {
                            with.read_head();
                            with.send(api_error(413, "request_too_large", "connection: close\r\n"));
                        }};
    CHECK(ask(early.options(), simple_request(20'000'000)).type() == "request_too_large");
}

TEST_CASE("a server that speaks no TLS is told apart from one that is not trusted")
{
    const byte_server plain{{[](peer& with_) { with_.send("HTTP/1.1 400 Bad Request\r\n\r\n"); }}};
    auto with = options_for(plain);
    with.base_url = "https://127.0.0.1:" + std::to_string(plain.port());
    const auto got = ask(with);
    CHECK(got.type() == "tls_error");
    CHECK(got.message().find("handshake") != std::string::npos);
}
