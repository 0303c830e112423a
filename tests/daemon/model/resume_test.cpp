// What a second connection takes over from the first: TLS sessions, and the connection itself
// for as long as the server keeps it.
#include "aio/task_group.hpp"
#include "model/client.hpp"
#include "tests/daemon/model/secured.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <vector>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

namespace {

// Of each connection, in order, whether it resumed a session. Filled by the server's threads.
class resumptions {
public:
    void add(bool resumed)
    {
        const std::lock_guard hold{lock_};
        all_.push_back(resumed);
    }
    [[nodiscard]] std::vector<bool> get() const
    {
        const std::lock_guard hold{lock_};
        return all_;
    }

private:
    mutable std::mutex lock_;
    std::vector<bool> all_;
};

// One request a connection.
byte_server::script noting(resumptions& into)
{
    return [&into](peer& with) {
        with.read_request();
        into.add(with.resumed());
        with.send(stream_head("connection: close\r\n") + chunk(text_stream()) + last_chunk());
    };
}

aio::awaitable<> ask_now(model::client& client)
{
    deaf told;
    auto got = co_await client.ask(simple_request(), told);
    CHECK_MESSAGE(got.has_value(), (got ? "" : got.error().message));
}

using flags = std::vector<bool>;

} // namespace

TEST_CASE("TLS 1.3: the tickets of a connection let later ones resume it")
{
    resumptions seen;
    const secured server{{}, noting(seen)};
    for (const auto& one : ask_in_turn(server.options(), 4))
        CHECK_MESSAGE(one.outcome.has_value(), one.message());
    CHECK(seen.get() == flags{false, true, true, true});
}

TEST_CASE("TLS 1.2: a session is resumed again and again, although nobody says goodbye")
{
    resumptions seen;
    listen_wish old;
    old.old_tls = true;
    const secured server{{}, noting(seen), old};
    for (const auto& one : ask_in_turn(server.options(), 4))
        CHECK_MESSAGE(one.outcome.has_value(), one.message());
    CHECK(seen.get() == flags{false, true, true, true});
}

TEST_CASE("TLS: a ticket is no secret between clients, and a reload begins without any")
{
    resumptions seen;
    const secured server{{}, noting(seen)};
    CHECK(ask(server.options()).outcome.has_value());
    CHECK(ask(server.options()).outcome.has_value());
    CHECK(seen.get() == flags{false, false});

    run_coro([&server](aio::executor io) -> aio::awaitable<> {
        const auto client = model::make_client(io, server.options());
        co_await ask_now(*client);
        co_await ask_now(*client);
        client->reload(server.options());
        co_await ask_now(*client);
    });
    CHECK(seen.get() == flags{false, false, false, true, false});
}

TEST_CASE("TLS: after a reload with other certificates the server is not trusted any more")
{
    resumptions seen;
    const secured server{{}, noting(seen)};
    const ca_file other{make_certificate().ca};
    auto with = server.options();
    run_coro([&with, &other](aio::executor io) -> aio::awaitable<> {
        const auto client = model::make_client(io, with);
        co_await ask_now(*client);
        with.ca_file = other.path();
        client->reload(with);
        CHECK(client->degraded().empty());
        deaf told;
        auto got = co_await client->ask(simple_request(), told);
        CHECK((!got && got.error().type == "tls_error"));
    });
    CHECK(seen.get() == flags{false});
}

TEST_CASE("TLS: a server that has forgotten its tickets makes a whole handshake")
{
    resumptions seen;
    auto first = std::make_unique<secured>(certificate_wish{}, noting(seen));
    const auto with = first->options();
    const certificate made = first->made;
    listen_wish same;
    same.port = first->server.port();
    run_coro([&with, &made, &same, &first, &seen](aio::executor io) -> aio::awaitable<> {
        const auto client = model::make_client(io, with);
        co_await ask_now(*client);
        co_await ask_now(*client);
        first.reset(); // its CA file is read already
        const byte_server again{{noting(seen)}, made, same};
        co_await ask_now(*client);
        co_await ask_now(*client);
    });
    CHECK(seen.get() == flags{false, true, false, true});
}

namespace {

// To the server, but through another that decides what becomes of each connection.
model::options by_way_of(const byte_server& front, const secured& server)
{
    auto with = server.options();
    with.base_url = "https://localhost:" + std::to_string(front.port());
    return with;
}

byte_server::script leading_to(const secured& server)
{
    return [port = server.server.port()](peer& with) { with.relay(port); };
}

} // namespace

TEST_CASE("TLS: a handshake that fails because it resumes is tried again as a whole one")
{
    resumptions seen;
    const secured server{{}, noting(seen)};
    const auto refuse = [](peer& with) {
        with.send(std::string_view{"\x15\x03\x03\x00\x02\x02\x50", 7}); // alert internal_error
        with.client_leaves(5s);
    };
    const byte_server front{{leading_to(server), refuse, leading_to(server)}};
    const auto all = ask_in_turn(by_way_of(front, server), 2);
    for (const auto& one : all)
        CHECK_MESSAGE(one.outcome.has_value(), one.message());
    CHECK(all[1].retries.size() == 1);
    CHECK(seen.get() == flags{false, false});

    // Without a session it is the server that does not want this client.
    const byte_server unwilling{{refuse, leading_to(server)}};
    const auto refused = ask(by_way_of(unwilling, server));
    CHECK(refused.type() == "tls_error");
    CHECK(refused.retries.empty());
}

TEST_CASE("TLS: a handshake that is given up costs no more than the ticket it offered")
{
    resumptions seen;
    const secured server{{}, noting(seen)};
    const auto stay_silent = [](peer& with) { with.client_leaves(10s); };
    const byte_server front{{leading_to(server), stay_silent, leading_to(server)}};
    auto with = by_way_of(front, server);
    with.limits.handshake = 1s;
    const auto all = ask_in_turn(with, 2);
    for (const auto& one : all)
        CHECK_MESSAGE(one.outcome.has_value(), one.message());
    CHECK(all[1].retries.size() == 1);
    CHECK(seen.get() == flags{false, true});
}

TEST_CASE("trust: a CA file that is none is told before there is a connection")
{
    const secured server;
    const ca_file empty{"no certificate\n"};
    auto with = server.options();
    for (const auto& path : {empty.path(), std::string{"/nonexistent/ca.pem"}}) {
        with.ca_file = path;
        run_coro([&with, &path](aio::executor io) -> aio::awaitable<> {
            const auto client = model::make_client(io, with);
            CHECK(client->degraded().starts_with(
                "cannot read CA certificates of ca_file " + path + ": "));
            co_return;
        });
    }
    CHECK(server.server.connections() == 0);
}

TEST_CASE("trust: a CA file that vanishes before the first connection is a final error then")
{
    const secured server;
    auto with = server.options();
    run_coro([&server, &with](aio::executor io) -> aio::awaitable<> {
        auto file = std::make_unique<ca_file>(server.made.ca);
        with.ca_file = file->path();
        const auto client = model::make_client(io, with);
        CHECK(client->degraded().empty());
        file.reset();
        deaf told;
        auto got = co_await client->ask(simple_request(), told);
        REQUIRE(!got);
        CHECK(got.error().type == "tls_error");
        CHECK(got.error().attempts == 1);
        CHECK(got.error().message.find("No such file") != std::string::npos);
    });
    CHECK(server.server.connections() == 0);
}

namespace {

// Two requests with `pause` between them; how many connections they took.
std::size_t connections_for(std::string_view keep_alive, std::chrono::milliseconds pause,
    std::chrono::milliseconds keep = 60s)
{
    const std::string head = stream_head(keep_alive);
    const byte_server server{{answering(head + chunk(text_stream()) + last_chunk())}};
    auto with = options_for(server);
    with.limits.pooled = keep;
    run_coro([&with, pause](aio::executor io) -> aio::awaitable<> {
        const auto client = model::make_client(io, with);
        co_await ask_now(*client);
        co_await aio::sleep_for(pause);
        co_await ask_now(*client);
    });
    return server.connections();
}

} // namespace

TEST_CASE("keep-alive: a connection is used again only while the server said it keeps it")
{
    CHECK(connections_for("", 0ms) == 1);
    CHECK(connections_for("Keep-Alive: timeout=1\r\n", 0ms) == 1);
    CHECK(connections_for("keep-alive: max=100, Timeout=1\r\n", 600ms) == 2); // half of a second
    CHECK(connections_for("Keep-Alive: timeout=5\r\n", 600ms) == 1);
    CHECK(connections_for("Keep-Alive: timeout=0\r\n", 0ms) == 2);
    CHECK(connections_for("Keep-Alive: timeout=99999999999\r\n", 0ms) == 1);
    CHECK(connections_for("Keep-Alive: timeout=-1\r\n", 0ms) == 1);
    CHECK(connections_for("Keep-Alive: timeout=5\r\n", 150ms, 100ms) == 2);
    CHECK(connections_for("", 0ms, 0ms) == 2);
}

namespace {

aio::awaitable<> ask_and_count(model::client& client, int& ended)
{
    co_await ask_now(client);
    ++ended;
}

} // namespace

TEST_CASE("keep-alive: one that is kept shorter is closed in its time beside one that is kept long")
{
    std::promise<void> both, kept;
    std::promise<bool> closed;
    auto both_came = both.get_future(), one_is_kept = kept.get_future();
    auto is_closed = closed.get_future();
    const std::string rest = chunk(text_stream()) + last_chunk();
    const byte_server server{{[&both_came, &rest](peer& with) {
                                  with.read_request();
                                  both_came.wait();
                                  with.send(stream_head("") + rest);
                                  with.client_leaves(10s);
                              },
        [&both, &one_is_kept, &closed, &rest](peer& with) {
            with.read_request();
            both.set_value();
            one_is_kept.wait();
            with.send(stream_head("keep-alive: timeout=1\r\n") + rest);
            closed.set_value(with.client_leaves(3s));
        }}};
    run_coro([&server, &kept, &is_closed](aio::executor io) -> aio::awaitable<> {
        const auto client = model::make_client(io, options_for(server));
        aio::task_group both_ask{io};
        int ended = 0;
        for (int i = 0; i < 2; ++i)
            both_ask.spawn("ask", ask_and_count(*client, ended));
        while (ended == 0)
            co_await aio::sleep_for(2ms);
        kept.set_value();
        co_await both_ask.join();
        while (is_closed.wait_for(0s) != std::future_status::ready)
            co_await aio::sleep_for(5ms);
    });
    CHECK(is_closed.get());
}
