#include "tests/daemon/api/running_api.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>

using namespace agentd;
using namespace std::chrono_literals;
using testing::http_client;
using testing::own_bounds;
using testing::running_api;

namespace {

std::size_t open_descriptors()
{
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"})
        ++count;
    return count;
}

} // namespace

TEST_CASE("lifecycle: beyond the cap a client hears so, and has a place when another leaves")
{
    auto bounds = own_bounds();
    bounds.connections = 3;
    running_api api{bounds};
    std::vector<http_client> inside;
    for (int i = 0; i < 3; ++i) {
        inside.push_back(api.client());
        CHECK(inside.back().call("GET", "/v1/health").status == 200);
    }
    auto outside = api.client();
    outside.ask("GET", "/v1/health");
    const auto refused = outside.receive();
    REQUIRE(refused);
    CHECK(refused->status == 503);
    CHECK(refused->problem() == "too_many_connections");
    outside.note("GET", "/v1/health", *refused);
    outside.finish_sending();
    CHECK(outside.closed());
    inside.pop_back();
    api.await_connections(2);
    CHECK(api.call("GET", "/v1/health").status == 200);
}

TEST_CASE("lifecycle: many more than the cap are all answered or closed")
{
    auto bounds = own_bounds();
    bounds.connections = 10;
    running_api api{bounds};
    std::vector<http_client> all;
    for (int i = 0; i < 200; ++i)
        all.push_back(api.client());
    std::size_t served = 0;
    for (auto& client : all) {
        client.send(testing::request_text("GET", "/v1/health", {}, {}));
        const auto answer = client.receive();
        served += answer && answer->status == 200 ? 1 : 0;
        if (answer)
            CHECK((answer->status == 200 || answer->status == 503));
    }
    CHECK(served == 10);
    all.clear();
    api.await_connections(0);
}

TEST_CASE("lifecycle: a client that takes nothing for long is given up")
{
    auto bounds = own_bounds();
    bounds.write_stall = 30ms;
    running_api api{bounds};
    api.service.output = std::string(limits::output_read_bytes, 'x');
    auto client = api.client();
    client.ask("GET", "/v1/jobs/1f3a9c02/output");
    api.await_connections(1);
    api.await_connections(0);
}

TEST_CASE("lifecycle: a client that goes away ends its wait")
{
    running_api api;
    {
        auto client = api.client();
        client.ask("GET", "/v1/tasks/t_abcdefghij/wait?timeout_s=600");
        testing::eventually([&api] {
            const std::lock_guard lock{api.service.guard};
            return api.service.last_wait == 600s;
        });
    }
    testing::eventually([&api] { return api.service.waits_given_up == 1; });
    api.await_connections(0);
}

TEST_CASE("lifecycle: stopping ends waits, streams and idle connections, and leaves no descriptor")
{
    const auto before = open_descriptors();
    {
        running_api api;
        auto idle = api.client();
        CHECK(idle.call("GET", "/v1/health").status == 200);
        auto waiting = api.client();
        waiting.ask("GET", "/v1/tasks/t_abcdefghij/wait?timeout_s=600");
        auto reading = api.client();
        reading.ask("GET", "/v1/events?follow=1");
        CHECK(reading.receive_head());
        auto half = api.client();
        CHECK(half.send("POST /v1/ta"));
        api.await_connections(4);
        api.stop();
        CHECK(idle.closed());
        CHECK(waiting.closed());
        CHECK(half.closed());
        CHECK(api.server->connections() == 0);
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("lifecycle: connections that come while the server stops do not hold it up")
{
    const std::string ask{
        "GET /v1/tasks/t_abcdefghij/wait?timeout_s=600 HTTP/1.1\r\nHost: x\r\n\r\n"};
    for (int round = 0; round < 10; ++round) {
        running_api api{own_bounds(), 2};
        std::atomic<int> made = 0;
        std::thread caller{[&made, &ask, path = api.path()] {
            std::vector<base::unique_fd> held;
            ::sockaddr_un to{};
            to.sun_family = AF_UNIX;
            path.copy(to.sun_path, sizeof to.sun_path - 1);
            for (; made < 40; ++made) {
                base::unique_fd one{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
                if (::connect(one.get(), reinterpret_cast<const ::sockaddr*>(&to), sizeof to) != 0)
                    return; // it has stopped
                (void)::send(one.get(), ask.data(), ask.size(), MSG_NOSIGNAL);
                held.push_back(std::move(one));
            }
        }};
        testing::eventually([&made] { return made > 0; });
        api.stop();
        CHECK(api.server->connections() == 0);
        caller.join();
    }
}

TEST_CASE("lifecycle: running out of descriptors does not end accepting")
{
    running_api api;
    auto early = api.client();
    CHECK(early.call("GET", "/v1/health").status == 200);
    ::rlimit old{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
    http_client late{api.path()};
    CHECK(late.call("GET", "/v1/health").status == 200);
    http_client last = api.client(); // its descriptor is ours; the server's will find none
    {
        // Fill the table up to a lowered limit: accepting then fails with EMFILE.
        const ::rlimit low{.rlim_cur = open_descriptors() + 8, .rlim_max = old.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
        std::vector<base::unique_fd> fill;
        for (;;) {
            base::unique_fd one{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
            if (!one)
                break;
            fill.push_back(std::move(one));
        }
        fill.pop_back(); // one for the client's own socket
        http_client starving{api.path()};
        starving.ask("GET", "/v1/health");
        CHECK(early.call("GET", "/v1/health").status == 200);
        fill.clear();
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &old) == 0);
        const auto answer = starving.receive();
        REQUIRE(answer);
        CHECK(answer->status == 200);
    }
    CHECK(last.call("GET", "/v1/health").status == 200);
}

TEST_CASE("lifecycle: four threads serve many clients at once")
{
    running_api api{own_bounds(), 4};
    std::vector<std::thread> clients;
    std::atomic<int> good = 0;
    for (int i = 0; i < 8; ++i)
        clients.emplace_back([&api, &good] {
            auto client = api.client();
            for (int n = 0; n < 50; ++n)
                good += client.call("POST", "/v1/tasks", R"({"prompt":"p"})").status == 202 ? 1 : 0;
        });
    for (auto& client : clients)
        client.join();
    CHECK(good == 400);
}
