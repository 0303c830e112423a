#include "base/limits.hpp"
#include "session/context_window.hpp"

#include <doctest/doctest.h>

using namespace agentd;
using session::context_window;
using need = session::context_window::need;
using model::stop_reason;

namespace {

context_window window(double at = 0.85, std::int64_t reply = 16'000, std::int64_t known = 0)
{
    return context_window{{200'000, at, reply}, known};
}

model::usage used(std::int64_t input, std::int64_t output = 0)
{
    return {.input = input, .output = output, .cache_read = 0, .cache_write = 0};
}

// After a reply that has counted so much.
context_window at(std::int64_t tokens)
{
    auto w = window();
    w.replied(used(tokens), stop_reason::end_turn);
    return w;
}

} // namespace

TEST_CASE("context_window: nothing is to be done below the wanted share, a summary from there on")
{
    CHECK(at(169'999).look(0, 0) == need::nothing);
    CHECK(at(170'000).look(0, 0) == need::summary);
    // All that a reply counts is in the window, and what came since is estimated by its bytes.
    auto w = window();
    w.replied({.input = 1, .output = 2, .cache_read = 100'000, .cache_write = 60'000},
        stop_reason::tool_use);
    CHECK(w.filled(0, 0) == 160'003);
    CHECK(w.look(29'000, 0) == need::nothing);
    CHECK(w.look(30'000, 0) == need::summary);
}

TEST_CASE("context_window: what no reply has counted is estimated by all of its bytes")
{
    CHECK(window().look(10, 500'000) == need::nothing);
    CHECK(window().look(10, 510'000) == need::summary);
    auto w = window();
    w.replied(used(0), stop_reason::end_turn); // a server that does not count
    CHECK(w.look(10, 510'000) == need::summary);
    w.replied(used(0, 500), stop_reason::end_turn); // one that counts only what it says
    CHECK(w.known() == 0);
    CHECK(w.look(10, 510'000) == need::summary);
    CHECK(window(0.85, 16'000, 180'000).look(0, 0) == need::summary); // counted before a restart
}

TEST_CASE("context_window: room is kept for the reply, and a small window is no endless loop")
{
    auto w = window(0.95, 40'000);
    w.replied(used(160'000), stop_reason::end_turn);
    CHECK(w.look(0, 0) == need::summary);
    context_window small{{4000, 0.8, 16'000}, 1599};
    CHECK(small.look(0, 0) == need::nothing);
    CHECK(small.look(3, 0) == need::summary);
}

TEST_CASE("context_window: where the wish for a summary does not fit any more, a record is made")
{
    CHECK(at(197'000).look(0, 0) == need::summary);
    CHECK(at(199'000).look(0, 0) == need::digest);
    auto w = window();
    w.replied(used(100), stop_reason::context_window_exceeded);
    CHECK(w.look(0, 0) == need::digest);
    auto refused = window();
    refused.overflowed();
    CHECK(refused.look(0, 0) == need::digest);
}

TEST_CASE("context_window: a summary has the room that is left, and some in any case")
{
    CHECK(at(170'000).summary_tokens(0, 0) == 16'000);
    CHECK(at(190'000).summary_tokens(0, 0) == 10'000 - limits::summary_tokens);
    CHECK(at(199'990).summary_tokens(0, 0) == limits::summary_tokens);
    // A record is a conversation of its own.
    CHECK(at(300'000).summary_tokens(300'000) == 16'000);
    CHECK(at(300'000).summary_tokens(580'000) < 6000);
}

TEST_CASE("context_window: never, when it is switched off or was given up")
{
    auto off = window(0);
    off.overflowed();
    CHECK(off.look(0, 10'000'000) == need::nothing);
    auto w = at(180'000);
    w.failed();
    CHECK(w.look(0, 0) == need::digest); // the other form, after a failure
    const auto bytes = w.digest_bytes();
    w.failed();
    CHECK(w.digest_bytes() == bytes / 2);
    w.failed();
    CHECK(w.gave_up());
    CHECK(w.look(0, 0) == need::nothing);
}

TEST_CASE("context_window: a compaction counts as failed until a reply is short again")
{
    auto w = at(180'000);
    for (int i = 0; i < 3; ++i) {
        CHECK_FALSE(w.gave_up());
        w.compacted();
        CHECK(w.look(0, 3000) == need::nothing);
        w.replied(used(175'000), stop_reason::tool_use);
    }
    CHECK(w.gave_up());

    auto good = at(180'000);
    good.failed();
    good.failed();
    good.compacted();
    good.replied(used(9000), stop_reason::tool_use);
    CHECK(good.failures() == 0);
    auto plain = at(180'000);
    plain.failed();
    plain.replied(used(181'000), stop_reason::tool_use); // no compaction: proves nothing
    CHECK(plain.failures() == 1);
}

TEST_CASE("context_window: what is yet to be told fills it, but is no part of what is summarised")
{
    CHECK(at(100'000).look(0, 0, 600'000) == need::summary);
    CHECK(at(100'000).look(600'000, 0) == need::digest);
    CHECK(at(100'000).look(0, 0, 180'000) == need::nothing);
}

TEST_CASE("context_window: a new beginning that is refused as too long has come to nothing")
{
    auto w = at(180'000);
    for (int i = 0; i < 3; ++i) {
        CHECK(w.look(0, 0) != need::nothing);
        w.compacted();
        w.overflowed();
    }
    CHECK(w.gave_up());
    auto first = at(180'000);
    first.overflowed();
    CHECK(first.failures() == 0);
}

TEST_CASE("context_window: a server's word on its size counts from then on")
{
    auto w = at(180'000);
    w.learn(1'000'000);
    CHECK(w.look(0, 0) == need::nothing);
    CHECK(w.has_room_for(2'000'000));
    CHECK_FALSE(w.has_room_for(3'000'000));
}
