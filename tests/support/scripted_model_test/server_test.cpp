// The server over real sockets and real TLS, with a client made of plain OpenSSL and
// blocking reads: nothing of the daemon's client takes part.
#include "tests/support/scripted_model/http_server.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <doctest/doctest.h>

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace agentd::testing;
using asio::ip::tcp;

namespace {

class temporary_folder {
public:
    temporary_folder()
    {
        std::string name = "/tmp/scripted-model-XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    ~temporary_folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

class running_server {
public:
    explicit running_server(std::string_view scenario, server_options options = {})
    {
        options.dir = folder_.path();
        auto plan = parse_scenario(scenario);
        REQUIRE_MESSAGE(plan.has_value(), plan.error());
        auto opened = http_server::open(std::move(*plan), std::move(options));
        REQUIRE_MESSAGE(opened.has_value(), opened.error());
        server_ = std::move(*opened);
        thread_ = std::jthread{[this] { server_->run(); }};
    }
    running_server(const running_server&) = delete;
    running_server& operator=(const running_server&) = delete;
    ~running_server() { server_->stop(); }

    [[nodiscard]] std::uint16_t port() const { return server_->port(); }
    [[nodiscard]] std::string ca() const { return server_->ca_file(); }

private:
    temporary_folder folder_;
    std::unique_ptr<http_server> server_;
    std::jthread thread_;
};

// One TLS connection; every call ends at the latest when the server closes.
class tls_client {
public:
    explicit tls_client(const running_server& server)
    {
        context_.load_verify_file(server.ca());
        stream_ = std::make_unique<asio::ssl::stream<tcp::socket>>(io_, context_);
        stream_->set_verify_mode(asio::ssl::verify_peer);
        SSL_set1_host(stream_->native_handle(), "localhost");
        // What the macro SSL_set_tlsext_host_name does, without its C cast.
        std::string name = "localhost";
        SSL_ctrl(stream_->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
            name.data());
        stream_->next_layer().connect({asio::ip::address_v4::loopback(), server.port()});
        stream_->handshake(asio::ssl::stream_base::client, error_);
    }

    [[nodiscard]] std::string error() const { return error_ ? error_.message() : ""; }
    void send(const std::string& bytes) { asio::write(*stream_, asio::buffer(bytes), error_); }

    // Reads until the text holds `mark` or the server has closed.
    std::string read_until(std::string_view mark)
    {
        while (text_.find(mark) == std::string::npos && !error_) {
            char part[4096];
            auto size = stream_->read_some(asio::buffer(part), error_);
            text_.append(part, size);
        }
        return std::exchange(text_, {});
    }

    void abandon() { stream_->next_layer().close(); }

private:
    asio::io_context io_;
    asio::ssl::context context_{asio::ssl::context::tls_client};
    std::unique_ptr<asio::ssl::stream<tcp::socket>> stream_;
    boost::system::error_code error_;
    std::string text_;
};

std::string post(const std::string& path, const std::string& body,
    std::string_view credential = "x-api-key: k\r\n")
{
    return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nanthropic-version: 2023-06-01\r\n" +
        std::string{credential} +
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
}

std::string get(const std::string& path)
{
    return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nanthropic-version: 2023-06-01\r\n" +
        "x-api-key: k\r\n\r\n";
}

std::string say(const std::string& text, bool stream = true)
{
    return R"({"model":"scripted","max_tokens":9,"stream":)" +
        std::string{stream ? "true" : "false"} + R"(,"messages":[{"role":"user","content":")" +
        text + R"("}]})";
}

std::string ask(tls_client& client, const std::string& request, std::string_view mark)
{
    client.send(request);
    return client.read_until(mark);
}

bool has(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

constexpr std::string_view hello_scenario =
    R"({"default":{"steps":[{"reply":{"content":[{"type":"text","text":"Hello."}]}}],)"
    R"("then":"repeat_last"}})";
constexpr std::string_view end_of_stream = "\r\n0\r\n\r\n";

} // namespace

TEST_CASE("server: streams and whole messages over one verified TLS connection")
{
    running_server server{hello_scenario};
    tls_client client{server};
    CHECK(client.error() == "");
    auto stream = ask(client, post("/v1/messages", say("a")), end_of_stream);
    CHECK(has(stream, "HTTP/1.1 200 OK"));
    CHECK(has(stream, "content-type: text/event-stream"));
    CHECK(has(stream, "request-id: req_"));
    CHECK(has(stream, R"("text_delta","text":"Hello.")"));
    CHECK(has(stream, "event: message_stop"));
    auto whole = ask(client, post("/v1/messages", say("b", false)), "}}");
    CHECK(has(whole, R"("stop_reason":"end_turn")"));
    auto status = ask(client, get("/__control/status"), "}}");
    CHECK(has(status, R"("requests":2,"replies":2,"violations":0)"));
    CHECK(has(status, R"("connections":1)"));
}

TEST_CASE("server: the same prompt again after a complete reply begins a new conversation")
{
    running_server server{R"({"default":{"steps":[{"reply":{"content":[)"
                          R"({"type":"text","text":"I am ${conversation}"}]}}]}})"};
    tls_client client{server};
    CHECK(has(ask(client, post("/v1/messages", say("a", false)), "}}"), "I am c1"));
    CHECK(has(ask(client, post("/v1/messages", say("a", false)), "}}"), "I am c2"));
}

TEST_CASE("server: a certificate for another host is one that a client can refuse")
{
    server_options options;
    options.certificate = certificate_kind::wrong_host;
    running_server server{hello_scenario, options};
    tls_client client{server};
    CHECK(client.error() != "");
}

TEST_CASE("server: credentials, version and paths are asked for")
{
    server_options options;
    options.judging.key = "k";
    running_server server{hello_scenario, options};
    tls_client client{server};
    auto body = say("a");
    CHECK(has(ask(client, post("/v1/messages", body, ""), "\"}"), " 401 "));
    CHECK(has(
        ask(client, post("/v1/messages", body, "x-api-key: z\r\n"), "\"}"), "invalid x-api-key"));
    CHECK(has(ask(client, post("/v1/messages", body, "x-api-key: k\r\nauthorization: Bearer k\r\n"),
                  "\"}"),
        "authentication_error"));
    CHECK(has(ask(client, post("/v1/messages", body, "authorization: Bearer k\r\n"), end_of_stream),
        "message_stop"));
    CHECK(has(ask(client, post("/v1/v1/messages", body), "\"}"), "not_found_error"));
    auto unversioned = post("/v1/messages", body);
    unversioned.replace(unversioned.find("anthropic-version"), 9, "somewhats");
    CHECK(has(ask(client, unversioned, "\"}"), "anthropic-version: header is required"));
    CHECK(has(ask(client, get("/v1/models/scripted"), "}"), R"("id":"scripted")"));
    CHECK(has(ask(client, get("/v1/models/other"), "\"}"), "not_found_error"));
}

TEST_CASE("server: an expectation that is not met is a 400 that says so, and is recorded")
{
    running_server server{R"({"default":{"steps":[{"expect":{"contains":"needle"},)"
                          R"("reply":{"content":[]}}]}})"};
    tls_client client{server};
    auto answer = ask(client, post("/v1/messages", say("straw")), "\"}");
    CHECK(has(answer, " 400 "));
    CHECK(has(answer, "step 0: expect.contains"));
    CHECK(has(answer, "needle"));
    auto records = ask(client, get("/__control/requests"), "}]}");
    CHECK(has(records, R"("outcome":"unmet")"));
    CHECK(has(records, "sha256:"));
    CHECK(!has(records, R"("x-api-key":"k")"));
}

TEST_CASE("server: faults cut, reset and answer early where the script says")
{
    running_server server{
        R"({"max_body_bytes":5000,"default":{"steps":[)"
        R"({"reply":{"status":529,"headers":{"retry-after":"1"}}},)"
        R"({"reply":{"raw":"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"}},)"
        R"({"reply":{"content":[{"type":"text","text":"x"}],"cut_after_events":2}}]}})"};
    tls_client client{server};
    auto busy = ask(client, post("/v1/messages", say("a")), "\"}");
    CHECK(has(busy, "HTTP/1.1 529 "));
    CHECK(has(busy, "overloaded_error"));
    CHECK(has(busy, "retry-after: 1"));
    CHECK(has(ask(client, post("/v1/messages", say("a")), "\r\n\r\nhi"), "content-length: 2"));
    auto cut = ask(client, post("/v1/messages", say("a")), "message_stop");
    CHECK(has(cut, "content_block_start"));
    CHECK(!has(cut, "content_block_delta"));
    CHECK(client.error() != "");
    tls_client large{server};
    large.send(post("/v1/messages", say(std::string(6000, 'x'))).substr(0, 1000));
    CHECK(has(large.read_until("\"}"), "request_too_large"));
}

TEST_CASE("server: a held reply waits for its release, and a test can wait for the hold")
{
    running_server server{
        R"({"default":{"steps":[{"reply":{"content":[)"
        R"({"type":"text","text":"late"}],"hold":"gate","hold_after_events":1}}]}})"};
    tls_client held{server};
    tls_client control{server};
    held.send(post("/v1/messages", say("a")));
    CHECK(has(ask(control, get("/__control/wait?held=gate"), "true}"), R"("held":{"gate":1})"));
    CHECK(has(held.read_until("message_start\""), "200 OK"));
    CHECK(has(
        ask(control, "POST /__control/release/gate HTTP/1.1\r\nHost: x\r\n\r\n", "}}"), "200 OK"));
    CHECK(has(held.read_until(end_of_stream), "late"));
}

TEST_CASE("server: a client that goes away during a stall is noticed")
{
    running_server server{R"({"default":{"steps":[{"reply":{"content":[)"
                          R"({"type":"text","text":"x"}],"stall_after_events":1}}]}})"};
    tls_client stalled{server};
    CHECK(has(ask(stalled, post("/v1/messages", say("a")), "message_start"), "200 OK"));
    stalled.abandon();
    tls_client control{server};
    auto seen = ask(control, get("/__control/wait?replies=1"), "true}");
    CHECK(has(seen, R"("active_streams":0)"));
}

TEST_CASE("server: many streams at once are all served")
{
    constexpr std::size_t count = 100;
    server_options options;
    options.threads = 2;
    running_server server{R"({"default":{"steps":[{"reply":{"content":[)"
                          R"({"type":"text","text":"${conversation}"}],"hold":"all"}}]}})",
        options};
    std::vector<std::unique_ptr<tls_client>> clients;
    for (std::size_t i = 0; i < count; ++i) {
        clients.push_back(std::make_unique<tls_client>(server));
        clients.back()->send(post("/v1/messages", say("prompt " + std::to_string(i))));
    }
    tls_client control{server};
    CHECK(has(ask(control, get("/__control/wait?held=all&count=100"), "true}"), "200 OK"));
    ask(control, "POST /__control/release/all HTTP/1.1\r\nHost: x\r\n\r\n", "}}");
    for (auto& client : clients)
        CHECK(has(client->read_until(end_of_stream), "message_stop"));
}
