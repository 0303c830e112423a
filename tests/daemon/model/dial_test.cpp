// Connecting to one of several addresses, each of them a real socket of this machine: one that
// answers, one that refuses, one that stays silent. Only the name's look-up is the test's own.
#include "aio/task_group.hpp"
#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "model/dial.hpp"
#include "model/error.hpp"
#include "tests/daemon/model/no_descriptors.hpp"
#include "tests/support/byte_server.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <thread>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

using boost::asio::ip::make_address;
using boost::asio::ip::tcp;

model::address_list list(std::initializer_list<const char*> texts)
{
    model::address_list out;
    for (const auto* text : texts)
        out.push_back(make_address(text));
    return out;
}

std::string text(const model::address_list& all)
{
    std::string out;
    for (const auto& one : all)
        out += one.to_string() + " ";
    return out;
}

byte_server::script holding()
{
    return [](peer& with) { with.client_leaves(10s); };
}

// A port whose queue of waiting connections is full: a connect to it gets no answer at all.
class silent_port {
public:
    silent_port(const char* address, std::uint16_t port)
    {
        to_.sin_family = AF_INET;
        to_.sin_port = htons(port);
        ::inet_pton(AF_INET, address, &to_.sin_addr);
        listening_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::bind(listening_.get(), generic(), sizeof to_) == 0);
        REQUIRE(::listen(listening_.get(), 0) == 0);
        for (int i = 0; i < 4; ++i) {
            waiting_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            (void)::connect(waiting_.back().get(), generic(), sizeof to_);
        }
    }

private:
    const sockaddr* generic() const { return reinterpret_cast<const sockaddr*>(&to_); }

    sockaddr_in to_{};
    base::unique_fd listening_;
    std::vector<base::unique_fd> waiting_;
};

std::size_t open_descriptors()
{
    std::error_code ignored; // none can be opened for the looking: 0
    const std::filesystem::directory_iterator all{"/proc/self/fd", ignored};
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

struct dialed {
    bool connected = false;
    std::string peer, error;
    bool can_be_retried = false;
    milliseconds took{0};
    std::size_t descriptors_before = 0, descriptors = 0;
    int keeps_alive = 0, idle = 0, without_delay = 0, flags = 0;
};

int option(tcp::socket& of, int level, int name)
{
    int value = 0;
    socklen_t size = sizeof value;
    ::getsockopt(of.native_handle(), level, name, &value, &size);
    return value;
}

aio::awaitable<> dial_once(
    aio::executor io, model::name_lookup& names, model::url to, milliseconds limit, dialed& into)
{
    co_await aio::sleep_for(1ms); // the loop has its own descriptors from here on
    into.descriptors_before = open_descriptors();
    const auto began = base::mono_now();
    auto got = co_await model::dial(io, names, to, limit);
    into.descriptors = open_descriptors();
    into.took = base::elapsed_since(began);
    into.connected = got.has_value();
    if (!got) {
        into.error = got.error().text;
        into.can_be_retried = got.error().is(model::errc::cannot_connect);
        co_return;
    }
    into.peer = got->remote_endpoint().address().to_string();
    into.keeps_alive = option(*got, SOL_SOCKET, SO_KEEPALIVE);
    into.idle = option(*got, IPPROTO_TCP, TCP_KEEPIDLE);
    into.without_delay = option(*got, IPPROTO_TCP, TCP_NODELAY);
    into.flags = ::fcntl(got->native_handle(), F_GETFD);
}

model::url to_port(std::uint16_t port)
{
    model::url to;
    to.host = "model.example";
    to.port = port;
    return to;
}

dialed dial(const model::address_list& addresses, std::uint16_t port, milliseconds limit = 5s)
{
    auto names = model::lookup_of("model.example",
        [addresses](const std::string&) { return base::result<model::address_list>{addresses}; });
    dialed got;
    run_coro([&](aio::executor io) { return dial_once(io, names, to_port(port), limit, got); });
    return got;
}

aio::awaitable<> count_after(milliseconds pause, std::size_t& into)
{
    co_await aio::sleep_for(pause);
    into = open_descriptors();
}

} // namespace

TEST_CASE("addresses: the families take turns, each address once, and no more than a few")
{
    const auto turns = [](std::initializer_list<const char*> found) {
        return text(model::take_turns(list(found)));
    };
    CHECK(turns({}).empty());
    CHECK(turns({"::2", "::3", "1.1.1.1", "2.2.2.2"}) == "::2 1.1.1.1 ::3 2.2.2.2 ");
    CHECK(turns({"1.1.1.1", "::2", "::3", "::4"}) == "1.1.1.1 ::2 ::3 ::4 ");
    CHECK(turns({"1.1.1.1", "1.1.1.1", "::2", "::2"}) == "1.1.1.1 ::2 ");
    CHECK(turns({"1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.4", "1.0.0.5", "1.0.0.6", "1.0.0.7",
              "1.0.0.8", "1.0.0.9"}) ==
        "1.0.0.1 1.0.0.2 1.0.0.3 1.0.0.4 1.0.0.5 1.0.0.6 1.0.0.7 1.0.0.8 ");
}

TEST_CASE("dial: the socket is close-on-exec, without delay, with keep-alive probes")
{
    const byte_server server{{holding()}};
    const auto got = dial(list({"127.0.0.1"}), server.port());
    REQUIRE_MESSAGE(got.connected, got.error);
    CHECK(got.flags == FD_CLOEXEC);
    CHECK(got.keeps_alive == 1);
    CHECK(got.idle == 60);
    CHECK(got.without_delay == 1);
}

TEST_CASE("dial: when an address refuses, the next one is tried at once")
{
    const byte_server server{{holding()}};
    const auto got =
        dial(list({"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"}), server.port());
    REQUIRE_MESSAGE(got.connected, got.error);
    CHECK(got.peer == "127.0.0.1");
    CHECK(got.took < 600ms); // three pauses would be more
}

TEST_CASE("dial: one that is silent is overtaken by the next, and then closed")
{
    const byte_server server{{holding()}};
    const silent_port silent{"127.0.0.2", server.port()};
    const auto got = dial(list({"127.0.0.2", "127.0.0.1"}), server.port());
    REQUIRE_MESSAGE(got.connected, got.error);
    CHECK(got.peer == "127.0.0.1");
    CHECK(got.took >= 250ms);
    CHECK(got.took < 2s);
}

TEST_CASE("dial: an address that answers at once stays the only one that is tried")
{
    const byte_server first{{holding()}};
    listen_wish beside;
    beside.address = "127.0.0.2";
    beside.port = first.port();
    const byte_server second{{holding()}, {}, beside};
    const auto got = dial(list({"127.0.0.1", "127.0.0.2"}), first.port());
    CHECK(got.peer == "127.0.0.1");
    CHECK((second.connections() == 0 || got.took >= 250ms));
    CHECK(dial(list({"127.0.0.2", "127.0.0.1"}), first.port()).peer == "127.0.0.2");
}

TEST_CASE("dial: the error names each address and its reason; one deadline is for all")
{
    const byte_server server{{holding()}};
    auto got = dial(list({"127.0.0.2", "127.0.0.3"}), server.port());
    const auto port = std::to_string(server.port());
    CHECK(got.error ==
        "cannot connect to model.example:" + port + ", 127.0.0.2:" + port +
            ": Connection refused; 127.0.0.3:" + port + ": Connection refused");
    CHECK(got.can_be_retried);

    const silent_port one{"127.0.0.2", server.port()}, two{"127.0.0.3", server.port()};
    const auto before = open_descriptors();
    got = dial(list({"127.0.0.4", "127.0.0.2", "127.0.0.3", "127.0.0.5"}), server.port(), 400ms);
    CHECK(got.descriptors == got.descriptors_before);
    CHECK(open_descriptors() == before);
    CHECK(got.took >= 400ms);
    CHECK(got.took < 1200ms); // less than one for each
    CHECK(got.can_be_retried);
    CHECK(got.error.find("127.0.0.4:" + port + ": Connection refused; 127.0.0.2:" + port +
              ": no answer within 400 ms; 127.0.0.3:" + port + ": no answer within 400 ms") !=
        std::string::npos);
    CHECK(got.error.ends_with("1 more were not tried"));
}

TEST_CASE("dial: cancelled while nobody answers it ends at once, and its sockets are closed")
{
    const byte_server server{{holding()}};
    const silent_port one{"127.0.0.2", server.port()}, two{"127.0.0.3", server.port()};
    auto names = model::lookup_of("model.example", [](const std::string&) {
        return base::result<model::address_list>{list({"127.0.0.2", "127.0.0.3"})};
    });
    dialed got;
    milliseconds took{0};
    std::size_t before = 0, during = 0, after = 0;
    const auto to = to_port(server.port());
    run_coro(
        [&names, &got, &took, &before, &during, &after, to](aio::executor io) -> aio::awaitable<> {
            co_await aio::sleep_for(1ms); // the loop has its own descriptors from here on
            before = open_descriptors();
            aio::task dialing{io};
            dialing.start("dialing", dial_once(io, names, to, 10s, got));
            while (during < before + 2)
                co_await count_after(5ms, during);
            const auto began = base::mono_now();
            dialing.cancel();
            co_await dialing.join();
            took = base::elapsed_since(began);
            after = open_descriptors();
        });
    CHECK(took < 1s);
    CHECK(after == before);
    CHECK(got.error.empty());
    CHECK_FALSE(got.connected);
}

TEST_CASE("dial: without a free descriptor the error says so and may be retried")
{
    const byte_server server{{holding()}};
    dialed full, freed;
    auto names = model::lookup_of("model.example",
        [](const std::string&) { return base::result<model::address_list>{list({"127.0.0.1"})}; });
    run_coro([&names, &server, &full, &freed](aio::executor io) -> aio::awaitable<> {
        co_await aio::sleep_for(1ms); // the loop has its own descriptors from here on
        {
            const no_descriptors until_the_end;
            co_await dial_once(io, names, to_port(server.port()), 5s, full);
        }
        co_await dial_once(io, names, to_port(server.port()), 5s, freed);
    });
    CHECK(full.error.find("Too many open files") != std::string::npos);
    CHECK(full.can_be_retried);
    CHECK(freed.connected);
}

TEST_CASE("dial: an address needs no look-up, and a name that has none is said to have none")
{
    const byte_server server{{holding()}};
    std::atomic<int> asked = 0;
    auto names = model::lookup_of("x", [&asked](const std::string&) {
        ++asked;
        return base::result<model::address_list>{model::address_list{}};
    });
    auto to = to_port(server.port());
    to.host = "127.0.0.1";
    dialed got, nowhere;
    run_coro([&](aio::executor io) { return dial_once(io, names, to, 5s, got); });
    CHECK(got.connected);
    CHECK(asked == 0);
    run_coro([&](aio::executor io) { return dial_once(io, names, to_port(1), 5s, nowhere); });
    CHECK(nowhere.error == "model.example has no address");
}

TEST_CASE("look-up: this machine has an address, a name that cannot be has none")
{
    const auto here = model::look_up("localhost");
    REQUIRE(here);
    CHECK(text(*here).find("127.0.0.1") != std::string::npos);
    const auto nobody = model::look_up("no..name");
    REQUIRE(!nobody);
    CHECK(nobody.error().is(model::errc::cannot_connect));
    CHECK(nobody.error().text.starts_with("cannot find the address of no..name: "));
}

TEST_CASE("look-up: one that stalls ends at the caller's deadline and holds up nobody")
{
    const byte_server server{{holding()}};
    // The look-up's own state: the first call is stalled until the end of the test, and longer
    // than what has begun it.
    struct calls {
        std::promise<void> release;
        std::shared_future<void> released{release.get_future()};
        std::atomic<int> count = 0, ended = 0;
    };
    const auto all = std::make_shared<calls>();
    {
        const model::side_work_bounds bounds{.threads = 2, .patience = 100ms};
        model::name_lookup names{[all] {
                                     if (all->count++ == 0)
                                         all->released.wait();
                                     ++all->ended;
                                     return base::result<model::address_list>{list({"127.0.0.1"})};
                                 },
            bounds};
        dialed stalled, next;
        run_coro([&names, &server, &stalled, &next](aio::executor io) -> aio::awaitable<> {
            co_await dial_once(io, names, to_port(server.port()), 200ms, stalled);
            co_await dial_once(io, names, to_port(server.port()), 5s, next);
        });
        CHECK(stalled.error == "cannot find the address of model.example: no answer within 200 ms");
        CHECK(stalled.can_be_retried);
        CHECK(stalled.took < 2s);
        CHECK_MESSAGE(next.connected, next.error);
        CHECK(all->count == 2);
        CHECK(all->ended == 1);
    }
    all->release.set_value(); // the loop and the look-up are gone: nothing to be told
    while (all->ended != 2)
        std::this_thread::yield();
}
