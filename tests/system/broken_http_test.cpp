// What is no HTTP, too much of it, or cut off: an answer where there can be one, then the next
// client is served as if nothing had been.
#include "tests/system/surface.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

using namespace agentd::testing;

namespace {

constexpr std::size_t hundred_mb = 100'000'000;

std::string post(const std::string& headers)
{
    return "POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + headers +
        "\r\n";
}

std::string chunk(const std::string& text)
{
    char size[32];
    const int digits = ::snprintf(size, sizeof size, "%zx\r\n", text.size());
    return std::string(size, static_cast<std::size_t>(digits)) + text + "\r\n";
}

bool serves(world& w)
{
    auto client = w.connect();
    return client.call("GET", "/v1/health").status == 200;
}

} // namespace

TEST_CASE("broken http: what is no request is 400 or ends the connection, and nothing else")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    using namespace std::string_literals;
    for (const auto& bytes : {"garbage\r\n\r\n"s, "GET\r\n\r\n"s, "GET /v1/health\r\n\r\n"s,
             "GET /v1/health HTTP/9.9\r\n\r\n"s, "GET /v1/health HTTP/1.1 x\r\n\r\n"s,
             "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, "\0\0\0\0\r\n\r\n"s,
             "GET /v1/health HTTP/1.1\r\nno colon\r\n\r\n"s,
             "GET /v1/health HTTP/1.1\r\n: x\r\n\r\n"s,
             "GET /v1/health HTTP/1.1\r\nA: b\0c\r\n\r\n"s, "GET /v1/ health HTTP/1.1\r\n\r\n"s,
             "GET http://x/v1/health HTTP/1.1\r\n\r\n"s, "GET /%zz HTTP/1.1\r\n\r\n"s,
             post("Content-Length: -1\r\n"), post("Content-Length: x\r\n"),
             post("Content-Length: 1\r\nContent-Length: 2\r\n"),
             post("Content-Length: 99999999999999999999999\r\n"),
             post("Transfer-Encoding: chunked\r\n") + "zz\r\n",
             post("Transfer-Encoding: chunked\r\n") + "ffffffffffffffffff\r\n"}) {
        auto client = w.connect();
        client.send_raw(bytes);
        const auto reply = client.read_reply();
        CHECK_MESSAGE((reply.status == 400 || reply.status == 413), bytes << ": " << reply.status);
        CHECK_MESSAGE(!problem_of(reply).empty(), bytes << ": " << reply.body);
        CHECK(reply.header("Connection") == "close");
        CHECK(client.is_closed());
        REQUIRE(serves(w));
    }
    CHECK(w.json(200, "GET", "/v1/tasks").at("items").as_array().empty());
}

TEST_CASE("broken http: clients that leave in the middle leave nothing behind")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    for (const auto& bytes :
        {std::string{}, std::string{"GE"}, std::string{"GET /v1/health HTTP/1.1\r\n"},
            post("Content-Length: 500\r\n") + R"({"prompt":)",
            post("Transfer-Encoding: chunked\r\n") + "5\r\nab"})
        for (int i = 0; i < 20; ++i)
            w.connect().send_raw(bytes);
    CHECK(serves(w));
    CHECK(w.json(200, "GET", "/v1/tasks").at("items").as_array().empty());
    for (;;) { // they are counted off as soon as the daemon has seen their ends
        const auto info = w.json(200, "GET", "/v1/info");
        if (info.at("counts").at("connections").as_int64() == 1)
            break;
    }
}

TEST_CASE("broken http: a head beyond its bound is 431, whether it ends or not")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    auto client = w.connect();
    const std::string value(70'000, 'x');
    CHECK(problem_of(client.call("GET", "/v1/health", {}, {{"X-Large", value}})) ==
        "header_too_large");
    for (const auto& begin :
        {std::string{"GET /v1/health HTTP/1.1\r\nX: "}, std::string{"GET /"}}) {
        auto endless = w.connect();
        endless.send_raw(begin + std::string(1U << 20, 'a'));
        const auto reply = endless.read_reply();
        CHECK(reply.status == 431);
    }
    auto many = w.connect();
    std::string head{"GET /v1/health HTTP/1.1\r\n"};
    for (int i = 0; i < 20'000; ++i)
        head += "A: b\r\n";
    many.send_raw(head + "\r\n");
    CHECK(many.read_reply().status == 431);
    CHECK(serves(w));
}

TEST_CASE("broken http: requests written at once are answered in their order")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    auto client = w.connect();
    const std::string get = " HTTP/1.1\r\nHost: x\r\n\r\n";
    const std::string body = R"({"prompt":"greet"})";
    client.send_raw("\r\n\r\nGET /v1/health" + get + "GET /nowhere" + get +
        post("Content-Length: " + std::to_string(body.size()) + "\r\n") + body + "GET /v1/info" +
        get);
    CHECK(client.read_reply().status == 200);
    CHECK(client.read_reply().status == 404);
    CHECK(client.read_reply().status == 202);
    const auto last = client.read_reply();
    CHECK(js::parse(last.body).at("name").as_string() == "agentd");
}

TEST_CASE("broken http: a body may come in chunks, byte by byte, or after 100 Continue")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    const std::string body = R"({"prompt":"greet"})";
    auto client = w.connect();
    std::string pieces = post("Transfer-Encoding: chunked\r\n");
    for (const char c : body)
        pieces += chunk(std::string(1, c));
    pieces += "0\r\nX-Trailer: 1\r\n\r\n";
    for (const char c : pieces)
        client.send_raw(std::string_view{&c, 1});
    CHECK(client.read_reply().status == 202);
    client.send_raw(
        post("Expect: 100-continue\r\nContent-Length: " + std::to_string(body.size()) + "\r\n"));
    CHECK(client.read_reply("HEAD").status == 100);
    client.send_raw(body);
    CHECK(client.read_reply().status == 202);
    auto odd = w.connect();
    CHECK(problem_of(odd.call("GET", "/v1/health", {}, {{"Expect", "a-miracle"}})) ==
        "expectation_failed");
}

TEST_CASE("broken http: an empty body in chunks, byte by byte, is answered and ends nobody else")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    constexpr int tries = 50; // how bytes are put together on the way is not ours to say
    for (int i = 0; i < tries; ++i) {
        auto client = w.connect();
        client.send_raw(post("Transfer-Encoding: chunked\r\n"));
        for (const char c : std::string_view{"0\r\n\r\n"})
            client.send_raw(std::string_view{&c, 1});
        REQUIRE(client.read_reply().status == 400);
    }
    CHECK(serves(w));
}

TEST_CASE("broken http: a body of 100 MB is 413 before it is read, and takes no memory")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    REQUIRE(serves(w));
    const auto before = resident_bytes(w.daemon().pid());
    auto told = w.connect();
    told.send_raw(post("Content-Length: " + std::to_string(hundred_mb) + "\r\n"));
    auto reply = told.read_reply(); // nothing of it was sent
    CHECK(reply.status == 413);
    CHECK(problem_of(reply) == "too_large");
    auto sent = w.connect();
    sent.send_raw(post("Content-Length: " + std::to_string(hundred_mb) + "\r\n"));
    const std::string block(1'000'000, 'x');
    for (std::size_t done = 0; done < hundred_mb; done += block.size())
        sent.send_raw(block);
    CHECK(sent.read_reply().status == 413);
    auto chunked = w.connect();
    chunked.send_raw(post("Transfer-Encoding: chunked\r\n"));
    for (std::size_t done = 0; done < hundred_mb; done += block.size())
        chunked.send_raw(chunk(block));
    CHECK(chunked.read_reply().status == 413);
    CHECK(serves(w));
    const auto after = resident_bytes(w.daemon().pid());
    CHECK_MESSAGE(after < before + 64'000'000, before << " -> " << after);
}
