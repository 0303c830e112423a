// One client for many askers on many strands and threads: the pool, the gate, a reload.
#include "aio/task_group.hpp"
#include "base/clock.hpp"
#include "tests/daemon/model/asked.hpp"
#include "tests/daemon/model/secured.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;

aio::awaitable<> ask_some(model::client& client, int times, std::atomic<int>& answered)
{
    deaf told;
    for (int i = 0; i < times; ++i) {
        const auto got = co_await client.ask(simple_request(), told);
        if (got)
            ++answered;
    }
}

// A loop with several threads, as in the daemon.
class threads {
public:
    explicit threads(int count)
    {
        for (int i = 0; i < count; ++i)
            running_.emplace_back([this] { io_.run(); });
    }
    ~threads()
    {
        guard_.reset();
        for (auto& one : running_)
            one.join();
    }
    threads(const threads&) = delete;
    threads& operator=(const threads&) = delete;

    [[nodiscard]] aio::executor io() { return io_.get_executor(); }

private:
    asio::io_context io_;
    asio::executor_work_guard<asio::io_context::executor_type> guard_{io_.get_executor()};
    std::vector<std::thread> running_;
};

// Runs `askers` coroutines on strands of their own and waits for all.
void ask_from_many(
    threads& on, model::client& client, int askers, int times, std::atomic<int>& answered)
{
    std::promise<void> joined;
    const auto strand = aio::make_strand(on.io());
    aio::task_group all{strand};
    aio::task_group watcher{strand};
    const auto join = [](aio::task_group& group, std::promise<void>& done) -> aio::awaitable<> {
        co_await group.join();
        done.set_value();
    };
    asio::post(strand, [&all, &on, &client, &answered, &watcher, &joined, askers, times, join] {
        for (int i = 0; i < askers; ++i)
            all.spawn_on(aio::make_strand(on.io()), "asker", ask_some(client, times, answered));
        watcher.spawn("watcher", join(all, joined));
    });
    joined.get_future().wait();
    // The watcher's own end comes a moment after what it set.
    while (true) {
        std::promise<std::size_t> left;
        asio::post(strand, [&left, &watcher] { left.set_value(watcher.size()); });
        if (left.get_future().get() == 0)
            break;
    }
}

} // namespace

TEST_CASE("race: askers on strands of their own share one client, with one thread and with four")
{
    for (const int count : {1, 4}) {
        const byte_server server{{answering(streamed(text_stream()))}};
        threads on{count};
        const auto client = model::make_client(on.io(), options_for(server));
        std::atomic<int> answered = 0;
        ask_from_many(on, *client, 16, 8, answered);
        CHECK(answered == 16 * 8);
        CHECK(server.requests().size() == 16 * 8);
        CHECK(server.connections() <= 16);
    }
}

TEST_CASE("race: connections of many strands share the trust, the look-ups and the TLS sessions")
{
    const auto one_each = [](peer& with) {
        with.read_request();
        with.send(stream_head("connection: close\r\n") + chunk(text_stream()) + last_chunk());
    };
    std::atomic<int> resumed = 0;
    const secured server{{}, [&resumed, one_each](peer& with) {
                             resumed += with.resumed() ? 1 : 0;
                             one_each(with);
                         }};
    threads on{4};
    const auto client = model::make_client(on.io(), server.options());
    std::atomic<int> answered = 0;
    ask_from_many(on, *client, 16, 6, answered);
    CHECK(answered == 16 * 6);
    CHECK(resumed > 0);
}

TEST_CASE("reload: from then on the new key is sent; degraded says what is wrong until it is not")
{
    const byte_server server{{[](peer& with) {
        for (auto request = with.read_request(); !request.empty(); request = with.read_request())
            with.send(request.find("x-api-key: good") == std::string::npos
                    ? api_error(401, "authentication_error")
                    : streamed(text_stream()));
    }}};
    threads on{1};
    auto with = options_for(server);
    with.key.value.clear();
    const auto client = model::make_client(on.io(), with);
    std::atomic<int> answered = 0;
    CHECK(client->degraded().find("no credential") != std::string::npos);
    ask_from_many(on, *client, 1, 1, answered);
    CHECK(server.connections() == 0);

    with.key.value = "bad";
    client->reload(with);
    CHECK(client->degraded().empty());
    ask_from_many(on, *client, 1, 1, answered);
    CHECK(answered == 0);
    CHECK(client->degraded().find("401") != std::string::npos);

    with.key.value = "good";
    client->reload(with);
    CHECK(client->degraded().empty());
    ask_from_many(on, *client, 1, 1, answered);
    CHECK(answered == 1);
    CHECK(server.requests().size() == 2);
}

TEST_CASE("rate limit: after a 429 the others wait, too, and come back one after another")
{
    std::atomic<int> asked_before = 0;
    const byte_server server{{[&](peer& with) {
        for (auto request = with.read_request(); !request.empty(); request = with.read_request())
            with.send(asked_before++ == 0
                    ? api_error(429, "rate_limit_error", "retry-after-ms: 300\r\n")
                    : streamed(text_stream()));
    }}};
    threads on{1};
    auto with = options_for(server);
    with.retry_attempts = 2;
    const auto client = model::make_client(on.io(), with);
    std::atomic<int> answered = 0;
    ask_from_many(on, *client, 1, 1, answered);
    const auto began = base::mono_now();
    ask_from_many(on, *client, 8, 1, answered);
    CHECK(answered == 9);
    CHECK(base::elapsed_since(began) < 5s);
}
