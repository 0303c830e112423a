// Deadlines and cancelling: what ends a request from this side.
#include "aio/task_group.hpp"
#include "base/clock.hpp"
#include "tests/daemon/model/asked.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <future>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

namespace {

class quiet final : public model::progress {
public:
    void on_text(std::int64_t, std::size_t, std::string_view) override { text = true; }
    void on_retry(std::int64_t, const model::failure&, std::chrono::milliseconds) override
    {
        retried = true;
    }
    void on_fallback(std::string_view, std::string_view, const model::failure&) override {}

    std::atomic<bool> text = false, retried = false;
};

aio::awaitable<> keep_asking(model::client& client, quiet& told, std::atomic<bool>& answered)
{
    auto got = co_await client.ask(simple_request(), told);
    (void)got;
    answered = true;
}

// Cancels the request once `when` holds; how long it took to end after that.
aio::awaitable<> cancel_when(aio::executor io, model::options with,
    std::function<bool(const quiet&)> when, std::chrono::milliseconds& took)
{
    const auto client = model::make_client(io, std::move(with));
    quiet told;
    std::atomic<bool> answered = false;
    aio::task asking{io};
    asking.start("asking", keep_asking(*client, told, answered));
    while (!when(told))
        co_await aio::sleep_for(5ms);
    const auto began = base::mono_now();
    asking.cancel();
    co_await asking.join();
    took = base::elapsed_since(began);
    CHECK_FALSE(answered);
}

std::chrono::milliseconds cancelled(
    const model::options& with, std::function<bool(const quiet&)> when)
{
    std::chrono::milliseconds took{0};
    run_coro([&](aio::executor io) { return cancel_when(io, with, when, took); });
    return took;
}

} // namespace

TEST_CASE("case 67 idle_timeout: silence beyond the limit is an error, comments keep it alive")
{
    const byte_server silent{{[](peer& with) {
        with.read_request();
        with.send(stream_head() + chunk(sse({start_event()})));
        with.client_leaves(10s);
    }}};
    auto with = options_for(silent);
    with.limits.idle = 200ms;
    const auto got = ask(with);
    CHECK(got.type() == "timeout");
    CHECK(got.took >= 200ms);
    CHECK(got.took < 5s);

    const byte_server slow{{[](peer& with_) {
        with_.read_request();
        with_.send(stream_head());
        for (int i = 0; i < 10; ++i) {
            with_.client_leaves(100ms); // the pause: it does not
            with_.send(chunk(": still here\n\n"));
        }
        with_.send(chunk(text_stream()) + last_chunk());
    }}};
    with = options_for(slow);
    with.limits.idle = 600ms;
    const auto alive = ask(with);
    CHECK_MESSAGE(alive.outcome.has_value(), alive.message());
    CHECK(alive.took >= 900ms);
}

TEST_CASE("deadlines: the first byte, all in all, the handshake")
{
    const byte_server mute{{[](peer& with) {
        with.read_request();
        with.client_leaves(10s);
    }}};
    auto with = options_for(mute);
    with.limits.first_byte = 150ms;
    auto got = ask(with);
    CHECK(got.type() == "timeout");
    CHECK(got.message().find("first byte") != std::string::npos);

    with = options_for(mute);
    with.limits.total = 150ms;
    got = ask(with);
    CHECK(got.message().find("longer than 150 ms") != std::string::npos);

    with = options_for(mute);
    with.base_url = "https://127.0.0.1:" + std::to_string(mute.port());
    with.limits.handshake = 150ms;
    got = ask(with);
    CHECK(got.type() == "timeout");
    CHECK(got.message().find("handshake") != std::string::npos);
    CHECK(got.took < 5s);
}

TEST_CASE("case 68 cancel: within a stream the socket is closed at once")
{
    std::promise<bool> left;
    const byte_server server{{[&left](peer& with) {
        with.read_request();
        with.send(stream_head() + chunk(sse({start_event(), text_start(0), text_delta(0, "a")})));
        left.set_value(with.client_leaves(10s));
    }}};
    CHECK(cancelled(options_for(server), [](const quiet& told) { return told.text.load(); }) < 2s);
    CHECK(left.get_future().get());
}

TEST_CASE("case 68, before the head, in the pause before a retry, in the handshake, by a proxy")
{
    const byte_server mute{{[](peer& with) {
        with.read_request();
        with.client_leaves(10s);
    }}};
    CHECK(cancelled(options_for(mute), [&](const quiet&) { return mute.requests().size() == 1; }) <
        2s);

    const byte_server busy{{answering(api_error(429, "rate_limit_error", "retry-after: 60\r\n"))}};
    auto with = options_for(busy);
    with.retry_attempts = 0;
    CHECK(cancelled(with, [](const quiet& told) { return told.retried.load(); }) < 2s);

    with = options_for(mute);
    with.base_url = "https://127.0.0.1:" + std::to_string(mute.port());
    CHECK(cancelled(with, [&](const quiet&) { return mute.connections() == 2; }) < 2s);

    with.base_url = "https://model.example.invalid";
    with.proxy = "http://127.0.0.1:" + std::to_string(mute.port());
    CHECK(cancelled(with, [&](const quiet&) { return mute.requests().size() == 2; }) < 2s);
}
