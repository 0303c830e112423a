// The gate that all askers of a model share, without a clock; and the headers that close it.
#include "base/limits.hpp"
#include "model/anthropic/rate_headers.hpp"
#include "model/rate_gate.hpp"
#include "model/retry_policy.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <vector>

using namespace agentd;
using namespace agentd::model;
using namespace std::chrono_literals;

namespace {

const base::mono_time t0{};
constexpr double middle = 0.5; // a step as long as limits::rate_gate_spacing

std::chrono::milliseconds wait(rate_gate& gate, base::mono_time now)
{
    return gate.enter(now, middle).wait;
}

const base::wall_time now = *base::from_rfc3339("2026-11-20T07:00:00.000Z");

std::optional<std::chrono::milliseconds> spent(
    std::vector<std::pair<std::string, std::string>> fields)
{
    reply_head head;
    head.status = 200;
    head.fields = std::move(fields);
    return anthropic::spent_for(head, now);
}

} // namespace

TEST_CASE(
    "rate gate: open for all, or closed for all; those who waited come back one after another")
{
    rate_gate gate;
    CHECK(wait(gate, t0) == 0ms);
    gate.close_until(t0 + 1000ms, t0);
    CHECK(wait(gate, t0) == 1000ms);
    CHECK(wait(gate, t0) == 1025ms);
    CHECK(wait(gate, t0 + 500ms) == 550ms);
    // The first one comes through, and a newcomer, who takes nobody's place.
    CHECK(wait(gate, t0 + 1000ms) == 0ms);
    CHECK(wait(gate, t0 + 1010ms) == 0ms);
    CHECK_FALSE(gate.is_idle(t0 + 1074ms));
    CHECK(wait(gate, t0 + 2000ms) == 0ms);
    CHECK(gate.is_idle(t0 + 2000ms));
    // A second limit while somebody waits: they wait again, an earlier one changes nothing.
    gate.close_until(t0 + 3000ms, t0 + 2000ms);
    gate.close_until(t0 + 2500ms, t0 + 2000ms);
    CHECK(wait(gate, t0 + 2600ms) == 400ms);
    CHECK_FALSE(gate.is_idle(t0 + 3000ms));
}

TEST_CASE("rate gate: sessions that go on and on are as fast again as without a limit")
{
    rate_gate gate;
    gate.close_until(t0 + 1000ms, t0);
    std::vector<base::mono_time> next(32, t0); // when each asks, or asks again
    std::size_t sent = 0;
    for (auto at = t0; at < t0 + 5s; at += 1ms) {
        for (auto& mine : next) {
            if (mine > at)
                continue;
            const auto hold = wait(gate, at);
            mine = at + (hold > 0ms ? hold : 20ms); // a turn takes 20 ms
            sent += hold == 0ms && at >= t0 + 4s ? 1 : 0;
        }
    }
    CHECK(sent == next.size() * 50);
}

TEST_CASE("rate gate: the line's steps differ, between half of one and one and a half")
{
    rate_gate gate;
    gate.close_until(t0 + 1000ms, t0);
    CHECK(gate.line_up(t0, 0.0) == 1000ms);
    CHECK(gate.line_up(t0, 0.99) == 1013ms);
    CHECK(gate.line_up(t0, 0.5) == 1050ms);
    // Who lines up when nothing holds goes at once, and the next one behind him.
    rate_gate open;
    CHECK(open.line_up(t0, 0.5) == 0ms);
    CHECK(open.line_up(t0, 0.5) == 25ms);
}

TEST_CASE("rate gate: an hour for one is a minute for all; then one goes, the others behind it")
{
    rate_gate gate;
    gate.close_until(t0 + 3600s, t0);
    CHECK(wait(gate, t0) == limits::rate_hold_longest);
    const auto later = t0 + limits::rate_hold_longest;
    CHECK(gate.enter(later, middle).is_probe);
    CHECK(wait(gate, later) >= limits::rate_probe_recheck);
    CHECK(wait(gate, later) >= limits::rate_probe_recheck);

    SUBCASE("it passes: the line comes through") {
        gate.probe_ended(true);
        CHECK(gate.enter(later + 1s, middle).wait == 0ms);
        CHECK_FALSE(gate.enter(later + 1s, middle).is_probe);
    }
    SUBCASE("it is refused, too: the next minute") {
        gate.close_until(later + 3540s, later);
        CHECK(wait(gate, later + 1s) >= limits::rate_hold_longest - 1s);
        CHECK(gate.enter(later + limits::rate_hold_longest, middle).is_probe);
    }
    SUBCASE("it ends without an answer: the next one tries, at once") {
        gate.probe_ended(false);
        CHECK(gate.enter(later + 1s, middle).is_probe);
    }
    SUBCASE("it is never heard of again: the next one tries, some time later") {
        CHECK(wait(gate, later + limits::rate_probe_patience - 1ms) > 0ms);
        CHECK(gate.enter(later + limits::rate_probe_patience, middle).is_probe);
    }
}

TEST_CASE("rate gate: nothing left holds until the reset, and not for long: buckets refill")
{
    rate_gate gate;
    gate.spent_until(t0 + 2s, t0);
    CHECK(wait(gate, t0) == 2s);
    CHECK_FALSE(gate.enter(t0 + 2s, middle).is_probe);
    gate.spent_until(t0 + 1s, t0 + 3s); // past
    CHECK(wait(gate, t0 + 3s) == 0ms);

    rate_gate far;
    far.spent_until(t0 + 60s, t0);
    CHECK(wait(far, t0) == limits::rate_reset_longest);
    CHECK(far.enter(t0 + limits::rate_reset_longest, middle).is_probe);
}

TEST_CASE("rate headers: only of what nothing is left, the longest, by the server's clock")
{
    const std::string of = "anthropic-ratelimit-";
    CHECK(spent({}) == std::nullopt);
    CHECK(spent({{"retry-after", "9"}}) == std::nullopt);
    CHECK(spent({{of + "requests-remaining", "0"}, {of + "requests-limit", "50"},
              {of + "requests-reset", "2026-11-20T07:00:03Z"}}) == 3s);
    CHECK(spent({{of + "requests-remaining", "1"},
              {of + "requests-reset", "2026-11-20T07:00:03Z"}}) == std::nullopt);
    CHECK(spent({{of + "requests-remaining", "0"}}) == std::nullopt);
    CHECK(spent({{of + "tokens-remaining", "0"}, {of + "tokens-limit", "0"},
              {of + "tokens-reset", "2026-11-20T07:00:03Z"}}) == std::nullopt);
    CHECK(spent({{of + "tokens-remaining", "0"}, {of + "tokens-reset", "soon"}}) == std::nullopt);
    CHECK(spent({{of + "tokens-remaining", "0"}, {of + "tokens-reset", "2026-11-20T06:59:59Z"}}) ==
        std::nullopt);
    CHECK(spent({{of + "input-tokens-remaining", " 0 "},
              {of + "input-tokens-reset", "2026-11-20T07:00:01Z"},
              {of + "output-tokens-remaining", "0"},
              {of + "output-tokens-reset", "2026-11-20T07:00:02.500Z"}}) == 2500ms);
    CHECK(spent({{of + "tokens-remaining", "0"}, {of + "tokens-reset", "9999-12-31T23:59:59Z"}}) ==
        longest_wish);
    CHECK(spent({{"date", "Fri, 20 Nov 2026 09:00:00 GMT"}, {of + "requests-remaining", "0"},
              {of + "requests-reset", "2026-11-20T09:00:04Z"}}) == 4s);
}
