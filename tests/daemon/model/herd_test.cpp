// Many who meet a limit, through real sockets: they come back one after another, and behind a
// probe where the server asked for more time than they wait. Takes as long as they do.
#include "aio/task_group.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "tests/daemon/model/ear.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

namespace {} // namespace

namespace {

constexpr std::size_t crowd = 500;

// Lets all first requests arrive before it answers one of them; notes when each comes again.
class stampede {
public:
    void operator()(peer& with)
    {
        for (auto request = with.read_request(); !request.empty(); request = with.read_request())
            with.send(arrived() ? fine : api_error(429, "rate_limit_error", "retry-after: 1\r\n"));
    }

    std::vector<base::mono_time> again; // in order
    base::mono_time refused{};          // the first answer went out no sooner

private:
    bool arrived()
    {
        std::unique_lock lock{guard_};
        if (++count_ > crowd) {
            again.push_back(base::mono_now());
            return true;
        }
        if (count_ == crowd) {
            refused = base::mono_now();
            all_here_.notify_all();
        }
        all_here_.wait(lock, [this] { return count_ >= crowd; });
        return false;
    }

    std::mutex guard_;
    std::condition_variable all_here_;
    std::size_t count_ = 0;
};

aio::awaitable<> ask_all_at_once(aio::executor io, model::options with, std::vector<one_ask>& all)
{
    const auto client = model::make_client(io, std::move(with));
    aio::task_group group{io};
    for (auto& one : all)
        group.spawn("asker", ask_as(*client, "m", one));
    co_await group.join();
}

} // namespace

TEST_CASE("timed: 500 who met a limit at once come back one after another, none too early")
{
    stampede server_side;
    std::vector<one_ask> all(crowd);
    {
        const byte_server server{{[&server_side](peer& with) { server_side(with); }}};
        auto with = options_for(server);
        with.retry_attempts = 0;
        with.limits.connect = 60s;
        with.limits.first_byte = 60s;
        run_coro([&](aio::executor io) { return ask_all_at_once(io, with, all); }, 120s);
    }
    for (const auto& one : all)
        REQUIRE(one.outcome.has_value());
    const auto& again = server_side.again;
    REQUIRE(again.size() == crowd);
    CHECK(again.front() >= server_side.refused + 1s);
    // Paced as the line has it: without it all would come within the jitter of a tenth of 1 s.
    const auto span = again.back() - again.front();
    CHECK(span >= limits::rate_gate_spacing * (crowd / 2));
    std::size_t most = 0;
    for (auto from = again.begin(); from != again.end(); ++from) {
        const auto to = std::upper_bound(from, again.end(), *from + 250ms);
        most = std::max(most, static_cast<std::size_t>(to - from));
    }
    MESSAGE("came back within ",
        std::chrono::duration_cast<std::chrono::milliseconds>(span).count(), " ms, at most ", most,
        " in 250 ms");
    CHECK(most <= crowd / 5);
}

namespace {

// A reply that says that nothing is left for a minute.
std::string nothing_left()
{
    return stream_head("anthropic-ratelimit-tokens-remaining: 0\r\n"
                       "anthropic-ratelimit-tokens-reset: " +
               rfc3339_in(60s) + "\r\n") +
        chunk(text_stream()) + last_chunk();
}

// Says with the first reply that nothing is left for a minute. The probe that comes after the
// longest hold is lost, the next one is answered once others would have come, if they did.
class probed {
public:
    void operator()(peer& with)
    {
        for (auto request = with.read_request(); !request.empty(); request = with.read_request()) {
            const auto number = ++count_;
            if (number == 1)
                with.send(nothing_left());
            else if (number == 2) {
                with.send("HTTP/1.1 "); // no stale connection, which would not count
                return with.cut();
            } else if (number == 3)
                with.client_leaves(limits::rate_probe_recheck * 3); // the pause: it does not
            if (number == 3)
                came_while_probed = count_ - 3;
            if (number >= 3)
                with.send(fine);
        }
    }

    std::atomic<int> came_while_probed = -1;

private:
    std::atomic<int> count_ = 0;
};

// As `probed`, but the probe meets a limit that no waiting helps against: its own end.
class capped {
public:
    void operator()(peer& with)
    {
        for (auto request = with.read_request(); !request.empty(); request = with.read_request()) {
            const auto number = ++count_;
            if (number == 1)
                with.send(nothing_left());
            else if (number == 2)
                with.send(reply(429, "application/json",
                    R"({"error":{"type":"rate_limit_error","message":"no","details":{"error_code":"enforced_spend_limit_reached"}}})"));
            else
                with.send(fine);
        }
    }

private:
    std::atomic<int> count_ = 0;
};

aio::awaitable<> ask_first_and_then_all(
    aio::executor io, model::options with, std::vector<one_ask>& all)
{
    const auto client = model::make_client(io, std::move(with));
    one_ask first;
    co_await ask_as(*client, "m", first);
    aio::task_group group{io};
    for (auto& one : all)
        group.spawn("asker", ask_as(*client, "m", one));
    co_await group.join();
}

} // namespace

TEST_CASE("timed: after a hold that was cut short one goes, and the others when it has passed")
{
    probed server_side;
    std::vector<one_ask> all(20);
    const byte_server server{{[&server_side](peer& with) { server_side(with); }}};
    auto with = options_for(server);
    with.retry_attempts = 0;
    const auto began = base::mono_now();
    run_coro([&](aio::executor io) { return ask_first_and_then_all(io, with, all); }, 60s);
    CHECK(base::elapsed_since(began) >= limits::rate_reset_longest);
    CHECK(base::elapsed_since(began) < limits::rate_reset_longest + limits::rate_probe_patience);
    CHECK(server_side.came_while_probed == 0);
    for (const auto& one : all) {
        CHECK(one.outcome.has_value());
        REQUIRE_FALSE(one.heard.retries.empty());
        CHECK(one.heard.retries[0].delay <= limits::rate_reset_longest + 1s);
    }
    CHECK(server.requests().size() == 2 + all.size());
}

TEST_CASE("timed: a probe whose refusal asks nobody to wait lets the next one try at once")
{
    capped server_side;
    std::vector<one_ask> all(3);
    const byte_server server{{[&server_side](peer& with) { server_side(with); }}};
    auto with = options_for(server);
    with.retry_attempts = 0;
    const auto began = base::mono_now();
    run_coro([&](aio::executor io) { return ask_first_and_then_all(io, with, all); }, 60s);
    CHECK(base::elapsed_since(began) >= limits::rate_reset_longest);
    CHECK(
        base::elapsed_since(began) < limits::rate_reset_longest + limits::rate_probe_patience / 2);
    CHECK(std::ranges::count_if(all, [](const auto& one) { return one.outcome.has_value(); }) == 2);
}
